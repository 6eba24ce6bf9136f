// Of Jedis 4 to 7 what the example uses, with the same signatures, for machines without Jedis: one connection, RESP2.
package redis.clients.jedis;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.Socket;
import redis.clients.jedis.commands.ProtocolCommand;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.util.SafeEncoder;

/** A client of one server. */
public class JedisPooled implements AutoCloseable {
    private final Socket socket;
    private final InputStream answers;

    public JedisPooled(String host, int port) {
        try {
            socket = new Socket(host, port);
            answers = new BufferedInputStream(socket.getInputStream());
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    /** The bytes of a string, nothing for nil. */
    public Object sendCommand(ProtocolCommand command, String... words) {
        try {
            ByteArrayOutputStream request = new ByteArrayOutputStream();
            request.write(SafeEncoder.encode("*" + (words.length + 1) + "\r\n"));
            append(request, command.getRaw());
            for (String word : words) {
                append(request, SafeEncoder.encode(word));
            }
            socket.getOutputStream().write(request.toByteArray());
            return answer();
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    @Override
    public void close() {
        try {
            socket.close();
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private static void append(ByteArrayOutputStream request, byte[] word) throws IOException {
        request.write(SafeEncoder.encode("$" + word.length + "\r\n"));
        request.write(word);
        request.write(SafeEncoder.encode("\r\n"));
    }

    private Object answer() throws IOException {
        String line = line();
        String rest = line.substring(1);
        return switch (line.charAt(0)) {
            case '+', ':' -> SafeEncoder.encode(rest);
            case '-' -> throw new JedisDataException(rest);
            case '$' -> rest.equals("-1") ? null : bytes(Integer.parseInt(rest));
            default -> throw new IOException("an answer that the example does not expect: " + line);
        };
    }

    private byte[] bytes(int length) throws IOException {
        byte[] bytes = answers.readNBytes(length);
        answers.readNBytes(2);
        return bytes;
    }

    private String line() throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        for (int next = answers.read(); next != '\r'; next = answers.read()) {
            if (next < 0) {
                throw new IOException("the server has closed the connection");
            }
            line.write(next);
        }
        answers.read();
        return SafeEncoder.encode(line.toByteArray());
    }
}
