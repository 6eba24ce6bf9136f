// See JedisPooled.java.
package redis.clients.jedis.commands;

/** A command's name. */
public interface ProtocolCommand {
    byte[] getRaw();
}
