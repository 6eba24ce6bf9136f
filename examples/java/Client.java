// What an application asks of pgcache, with Jedis. Start `make run`, then: java -cp <jedis and what it needs> Client.java <port that it printed>

import java.util.Optional;
import java.util.Set;
import redis.clients.jedis.JedisPooled;
import redis.clients.jedis.commands.ProtocolCommand;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.util.SafeEncoder;

/** Reads rows and results of PostgreSQL through pgcache, as JSON: decode it with what the application decodes JSON with. */
public final class Client {
    /** The commands of pgcache: {@code PGCACHE.READ} and so on. */
    private enum Command implements ProtocolCommand {
        READ, MULTIREAD, INVALIDATE, DEFINE, QUERY;

        @Override
        public byte[] getRaw() {
            return SafeEncoder.encode("PGCACHE." + name());
        }
    }

    private static final Set<String> PASSING = Set.of("PGDOWN", "PGTIMEOUT", "PGBUSY");

    private final JedisPooled jedis;

    public Client(JedisPooled jedis) {
        this.jedis = jedis;
    }

    /** A row, or nothing when PostgreSQL has no such row. */
    public Optional<String> read(String table, String key) {
        return Optional.ofNullable(call(Command.READ, table, key));
    }

    /** An array of any number of rows, in one round trip and in the order asked. An absent row is null. */
    public String multiread(String table, String keys) {
        return call(Command.MULTIREAD, table, keys);
    }

    /** Drops a row: after the application has changed it in a table that nobody watches, and its transaction has committed. */
    public void invalidate(String table, String key) {
        call(Command.INVALIDATE, table, key);
    }

    /** Gives a query a name. */
    public void define(String name, String sql) {
        call(Command.DEFINE, name, sql);
    }

    /** An array of the rows of a query that has a name. */
    public String query(String name, String parameters) {
        return call(Command.QUERY, "NAME", name, parameters);
    }

    /** Whether the same command may succeed a moment later. The first word of an error is its code. */
    public static boolean passesByItself(JedisDataException error) {
        return PASSING.contains(error.getMessage().split(" ", 2)[0]);
    }

    private String call(Command command, String... words) {
        Object answer = jedis.sendCommand(command, words);
        return answer == null ? null : SafeEncoder.encode((byte[]) answer);
    }

    public static void main(String[] arguments) {
        try (JedisPooled jedis = new JedisPooled("127.0.0.1", Integer.parseInt(arguments[0]))) {
            Client cache = new Client(jedis);
            System.out.println(cache.read("users", "{\"id\":3}").orElse("nobody"));
            System.out.println(cache.read("users", "{\"id\":999999}").orElse("nobody"));
            System.out.println(cache.multiread("users", "[{\"id\":4},{\"id\":999999}]"));
            cache.invalidate("users", "{\"id\":3}");
            cache.define("called", "SELECT id, name FROM users WHERE name LIKE $1 ORDER BY id LIMIT 2");
            System.out.println(cache.query("called", "[\"User 7%\"]"));
            cache.read("users", "{\"id\":\"abc\"}");
        } catch (JedisDataException error) {
            System.out.println(error.getMessage().split(" ", 2)[0] + " " + passesByItself(error));
        }
    }
}
