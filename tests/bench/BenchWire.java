import java.io.File;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.util.Arrays;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;

/**
 * Time of Kafka's own classes on the messages that bench_wire.c wrote: BenchWire DIR prints the same lines.
 *
 * Each figure is the best of ROUNDS rounds after a warm-up of the same length.
 */
public class BenchWire {
    static final int ROUNDS = 8;
    static final long ROUND_NS = 30_000_000;
    static Object sink;

    interface Step {
        void run();
    }

    static double measure(Step step) {
        double best = 0;
        int n = 1;
        for (int round = -ROUNDS; round < ROUNDS; ) {
            long from = System.nanoTime();
            for (int i = 0; i < n; i++) step.run();
            long took = System.nanoTime() - from;
            if (took < ROUND_NS) {
                n *= 2;
                continue;
            }
            if (round >= 0 && (round == 0 || (double) took / n < best)) best = (double) took / n;
            round++;
        }
        return best;
    }

    static Message newMessage(String name) {
        switch (name) {
            case "ProduceRequest": return new org.apache.kafka.common.message.ProduceRequestData();
            case "FetchRequest": return new org.apache.kafka.common.message.FetchRequestData();
            case "FetchResponse": return new org.apache.kafka.common.message.FetchResponseData();
            case "MetadataRequest": return new org.apache.kafka.common.message.MetadataRequestData();
            case "MetadataResponse": return new org.apache.kafka.common.message.MetadataResponseData();
            case "OffsetCommitRequest": return new org.apache.kafka.common.message.OffsetCommitRequestData();
            default: throw new IllegalArgumentException(name);
        }
    }

    static Message read(String name, byte[] bytes, short version) {
        Message message = newMessage(name);
        message.read(new ByteBufferAccessor(ByteBuffer.wrap(bytes)), version);
        return message;
    }

    public static void main(String[] args) throws Exception {
        File[] files = new File(args[0]).listFiles((dir, file) -> file.endsWith(".bin"));
        Arrays.sort(files);
        for (File file : files) {
            String name = file.getName().replace(".bin", "");
            String[] parts = name.split("-");
            short version = Short.parseShort(parts[1]);
            byte[] bytes = Files.readAllBytes(file.toPath());
            Message message = read(parts[0], bytes, version);
            ByteBuffer out = ByteBuffer.allocate(bytes.length);
            double decoding = measure(() -> sink = read(parts[0], bytes, version));
            double encoding = measure(() -> {
                ObjectSerializationCache cache = new ObjectSerializationCache();
                int size = message.size(cache, version);
                out.clear();
                message.write(new ByteBufferAccessor(out), cache, version);
                if (out.position() != size) throw new IllegalStateException();
            });
            if (!Arrays.equals(out.array(), bytes)) throw new IllegalStateException(name + ": other bytes");
            System.out.printf("%s %d %.0f %.0f%n", name, bytes.length, decoding, encoding);
        }
    }
}
