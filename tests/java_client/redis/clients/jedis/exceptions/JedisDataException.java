// See JedisPooled.java.
package redis.clients.jedis.exceptions;

/** An error reply. */
public class JedisDataException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public JedisDataException(String message) {
        super(message);
    }
}
