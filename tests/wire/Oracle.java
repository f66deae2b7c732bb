import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.RawTaggedField;

/**
 * Kafka's own codec as the reference that libkop is compared with.
 *
 *   Oracle generate SEED OUT [SKIP...]   messages of every version this release knows, as bytes and as JSON; with SKIP only
 *                                        requests and responses, and no pairs that the vector files SKIP have
 *   Oracle verify IN BACK                reads what libkop encoded (BACK) for the vectors IN and compares the messages
 *
 * What a message may hold is read from the definitions in the jars, not from libkop's schema. A vector file is a
 * sequence of {name, version, label, bytes, JSON}, each field with a four-byte length but the version, a short.
 */
public class Oracle {
    static final int RANDOM_MESSAGES = 20;
    /** What an older release calls by another name. */
    static final Map<String, String> RENAMED = Map.of(
        "ListClientMetricsResourcesRequest", "ListConfigResourcesRequest",
        "ListClientMetricsResourcesResponse", "ListConfigResourcesResponse");
    static final ObjectMapper JSON = JsonMapper.builder().enable(JsonReadFeature.ALLOW_JAVA_COMMENTS).build();
    static final JsonNodeFactory NODES = JsonNodeFactory.instance;

    /** One definition out of a jar. */
    record Definition(String name, String className, JsonNode json, Map<String, JsonNode> structs) {
        boolean isFlexible(int version) {
            return contains(json.path("flexibleVersions").asText("none"), version);
        }
    }

    static boolean contains(String range, int version) {
        if (range.equals("none")) return false;
        if (range.endsWith("+")) return version >= Integer.parseInt(range.substring(0, range.length() - 1));
        String[] ends = range.split("-");
        return version >= Integer.parseInt(ends[0]) && version <= Integer.parseInt(ends[ends.length - 1]);
    }

    static boolean has(JsonNode field, int version) {
        return contains(field.path("versions").asText(field.path("taggedVersions").asText("none")), version);
    }

    static String memberName(JsonNode field) {
        String name = field.get("name").asText();
        return name.substring(0, 1).toLowerCase() + name.substring(1);
    }

    static List<Definition> definitions() throws IOException {
        Map<String, Definition> found = new TreeMap<>();
        for (String jar : System.getProperty("java.class.path").split(File.pathSeparator)) {
            String file = new File(jar).getName();
            String place = file.startsWith("kafka-clients-") ? "org.apache.kafka.common.message."
                : file.startsWith("kafka-group-coordinator-") && !file.contains("-api-")
                    ? "org.apache.kafka.coordinator.group.generated."
                : file.startsWith("kafka-transaction-coordinator-")
                    ? "org.apache.kafka.coordinator.transaction.generated." : null;
            if (place == null) continue;
            try (ZipFile zip = new ZipFile(jar)) {
                for (ZipEntry entry : java.util.Collections.list(zip.entries())) {
                    if (!entry.getName().matches("common/message/\\w+\\.json")) continue;
                    JsonNode json = JSON.readTree(zip.getInputStream(entry));
                    if (!json.has("fields")) continue;
                    String name = json.get("name").asText();
                    boolean data = List.of("request", "response", "header").contains(json.get("type").asText());
                    Map<String, JsonNode> structs = new HashMap<>();
                    for (JsonNode common : json.path("commonStructs")) structs.put(common.get("name").asText(), common);
                    found.put(name, new Definition(name, place + name + (data ? "Data" : ""), json, structs));
                }
            }
        }
        return new ArrayList<>(found.values());
    }

    // ---- making messages ----

    /** Fills JSON for the fields of one version: what `read` of Kafka's converters takes. */
    static abstract class Filler {
        final Definition definition;
        final int version;

        Filler(Definition definition, int version) {
            this.definition = definition;
            this.version = version;
        }

        abstract boolean useNull();
        abstract boolean useTagged();
        abstract int arrayLength(int depth);
        abstract JsonNode scalar(String type, int depth);

        JsonNode fill(JsonNode fields, int depth) {
            ObjectNode node = NODES.objectNode();
            for (JsonNode field : fields) {
                if (!has(field, version)) continue;
                if (field.has("tag") && !useTagged()) continue;
                boolean nullable = contains(field.path("nullableVersions").asText("none"), version);
                node.set(memberName(field), nullable && useNull() ? NODES.nullNode() : value(field, depth));
            }
            return node;
        }

        JsonNode value(JsonNode field, int depth) {
            String type = field.get("type").asText();
            if (!type.startsWith("[]")) return element(field, type, depth);
            ArrayNode array = NODES.arrayNode();
            int length = arrayLength(depth);
            for (int i = 0; i < length; i++) array.add(element(field, type.substring(2), depth + 1));
            return array;
        }

        JsonNode element(JsonNode field, String type, int depth) {
            if (!Character.isUpperCase(type.charAt(0))) return scalar(type, depth);
            JsonNode struct = field.has("fields") ? field : definition.structs().get(type);
            return fill(struct.get("fields"), depth + 1);
        }
    }

    static String repeat(String text, int bytes) {
        StringBuilder out = new StringBuilder();
        int each = text.getBytes(StandardCharsets.UTF_8).length, have = 0;
        for (; have + each <= bytes; have += each) out.append(text);
        for (; have < bytes; have++) out.append('z');
        return out.toString();
    }

    static byte[] bytes(Random random, int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }

    static class High extends Filler {
        High(Definition definition, int version) { super(definition, version); }
        boolean useNull() { return false; }
        boolean useTagged() { return true; }
        int arrayLength(int depth) { return depth < 2 ? 3 : 2; }

        JsonNode scalar(String type, int depth) {
            switch (type) {
                case "bool": return NODES.booleanNode(true);
                case "int8": return NODES.numberNode(Byte.MAX_VALUE);
                case "int16": return NODES.numberNode(Short.MAX_VALUE);
                case "uint16": return NODES.numberNode(65535);
                case "int32": return NODES.numberNode(Integer.MAX_VALUE);
                case "int64": return NODES.numberNode(Long.MAX_VALUE);
                case "float64": return NODES.numberNode(Double.MAX_VALUE);
                case "uuid": return NODES.textNode(new Uuid(-1L, -1L).toString());
                case "string": return NODES.textNode(repeat("Kaf\u00e9\u6f22\ud83d\ude00\u0000\"\\\n", depth == 0 ? 32767 : 300));
                default: return NODES.binaryNode(bytes(new Random(7), depth == 0 ? 70000 : 200));
            }
        }
    }

    static class Low extends Filler {
        Low(Definition definition, int version) { super(definition, version); }
        boolean useNull() { return true; }
        boolean useTagged() { return true; }
        int arrayLength(int depth) { return depth == 0 ? 1 : 0; }

        JsonNode scalar(String type, int depth) {
            switch (type) {
                case "bool": return NODES.booleanNode(false);
                case "int8": return NODES.numberNode(Byte.MIN_VALUE);
                case "int16": return NODES.numberNode(Short.MIN_VALUE);
                case "uint16": return NODES.numberNode(0);
                case "int32": return NODES.numberNode(Integer.MIN_VALUE);
                case "int64": return NODES.numberNode(Long.MIN_VALUE);
                case "float64": return NODES.numberNode(-Double.MIN_VALUE);
                case "uuid": return NODES.textNode(Uuid.ZERO_UUID.toString());
                case "string": return NODES.textNode("");
                default: return NODES.binaryNode(new byte[0]);
            }
        }
    }

    static class Seeded extends Filler {
        final Random random;

        Seeded(Definition definition, int version, Random random) {
            super(definition, version);
            this.random = random;
        }

        boolean useNull() { return random.nextInt(4) == 0; }
        boolean useTagged() { return random.nextInt(3) != 0; }
        int arrayLength(int depth) { return random.nextInt(depth < 2 ? 4 : 3); }

        JsonNode scalar(String type, int depth) {
            int bits = random.nextInt(64);
            long number = random.nextLong() >> bits;
            switch (type) {
                case "bool": return NODES.booleanNode(random.nextBoolean());
                case "int8": return NODES.numberNode((byte) number);
                case "int16": return NODES.numberNode((short) number);
                case "uint16": return NODES.numberNode((int) (number & 0xffff));
                case "int32": return NODES.numberNode((int) number);
                case "int64": return NODES.numberNode(number);
                case "float64": return NODES.numberNode(random.nextGaussian() * Math.pow(10, random.nextInt(40) - 20));
                case "uuid": return NODES.textNode(new Uuid(random.nextLong(), random.nextLong()).toString());
                case "string": return NODES.textNode(text());
                default: return NODES.binaryNode(bytes(random, random.nextInt(random.nextInt(8) == 0 ? 400 : 40)));
            }
        }

        String text() {
            int length = random.nextInt(random.nextInt(8) == 0 ? 200 : 20);
            StringBuilder out = new StringBuilder();
            for (int i = 0; i < length; i++) {
                int point = random.nextInt(3) != 0 ? ' ' + random.nextInt(95) : random.nextInt(0x110000);
                if (point < 0xd800 || point > 0xdfff) out.appendCodePoint(point);
            }
            return out.toString();
        }
    }

    // ---- unknown tagged fields ----

    /** Gives a message and the structs in it tagged fields that no version has. */
    static class Tagger {
        final Definition definition;
        final int version;
        final Random random;

        Tagger(Definition definition, int version, Random random) {
            this.definition = definition;
            this.version = version;
            this.random = random;
        }

        void add(JsonNode fields, Message message) throws ReflectiveOperationException {
            Set<Integer> taken = new HashSet<>();
            for (JsonNode field : fields) if (field.has("tag")) taken.add(field.get("tag").asInt());
            if (random.nextInt(2) == 0) {
                TreeSet<Integer> tags = new TreeSet<>();
                for (int i = random.nextInt(4); i >= 0; i--) {
                    tags.add(random.nextInt(random.nextInt(3) == 0 ? 100000 : 8));
                }
                tags.removeAll(taken);
                for (int tag : tags) {
                    int size = random.nextInt(random.nextInt(6) == 0 ? 300 : 10);
                    message.unknownTaggedFields().add(new RawTaggedField(tag, bytes(random, size)));
                }
            }
            for (JsonNode field : fields) {
                JsonNode inner = innerFields(definition, field);
                if (inner == null || !has(field, version)) continue;
                for (Message part : parts(message, field)) add(inner, part);
            }
        }
    }

    static JsonNode innerFields(Definition definition, JsonNode field) {
        String type = field.get("type").asText().replace("[]", "");
        if (!Character.isUpperCase(type.charAt(0))) return null;
        return (field.has("fields") ? field : definition.structs().get(type)).get("fields");
    }

    static List<Message> parts(Message message, JsonNode field) throws ReflectiveOperationException {
        Object value = message.getClass().getMethod(memberName(field)).invoke(message);
        List<Message> parts = new ArrayList<>();
        if (value instanceof Collection) {
            for (Object part : (Collection<?>) value) parts.add((Message) part);
        } else if (value != null) {
            parts.add((Message) value);
        }
        return parts;
    }

    /** Adds to Kafka's JSON what its converters leave out. */
    static void complete(Definition definition, int version, JsonNode fields, Message message, JsonNode json)
            throws ReflectiveOperationException {
        if (!message.unknownTaggedFields().isEmpty()) {
            ArrayNode list = ((ObjectNode) json).putArray("unknownTags");
            for (RawTaggedField tag : message.unknownTaggedFields()) {
                list.addObject().put("tag", tag.tag()).put("data", tag.data());
            }
        }
        for (JsonNode field : fields) {
            if (field.get("type").asText().equals("records")) showRecords(memberName(field), message, (ObjectNode) json);
            JsonNode inner = innerFields(definition, field);
            JsonNode shown = json.get(memberName(field));
            if (inner == null || !has(field, version) || shown == null || shown.isNull()) continue;
            List<Message> parts = parts(message, field);
            for (int i = 0; i < parts.size(); i++) {
                complete(definition, version, inner, parts.get(i), shown.isArray() ? shown.get(i) : shown);
            }
        }
    }

    /** Kafka's converters show a record set by its size alone; here it is shown by its bytes. */
    static void showRecords(String name, Message message, ObjectNode json) throws ReflectiveOperationException {
        Object records = message.getClass().getMethod(name).invoke(message);
        json.remove(name + "SizeInBytes");
        if (records == null) return;
        Method buffer = records.getClass().getMethod("buffer");
        ByteBuffer bytes = ((ByteBuffer) buffer.invoke(records)).duplicate();
        byte[] copy = new byte[bytes.remaining()];
        bytes.get(copy);
        json.put(name, copy);
    }

    // ---- Kafka's codec ----

    static Message newMessage(Definition definition) throws ReflectiveOperationException {
        return (Message) Class.forName(definition.className()).getConstructor().newInstance();
    }

    static byte[] write(Message message, short version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(buffer), cache, version);
        if (buffer.hasRemaining()) throw new IllegalStateException("size and write disagree");
        return buffer.array();
    }

    static Message read(Definition definition, short version, byte[] bytes) throws ReflectiveOperationException {
        Message message = newMessage(definition);
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        message.read(new ByteBufferAccessor(buffer), version);
        if (buffer.hasRemaining()) throw new IllegalStateException(buffer.remaining() + " bytes left over");
        return message;
    }

    static void put(DataOutputStream out, byte[] bytes) throws IOException {
        out.writeInt(bytes.length);
        out.write(bytes);
    }

    static byte[] get(DataInputStream in) throws IOException {
        byte[] bytes = new byte[in.readInt()];
        in.readFully(bytes);
        return bytes;
    }

    static String getText(DataInputStream in) throws IOException {
        return new String(get(in), StandardCharsets.UTF_8);
    }

    static DataInputStream open(String path) throws IOException {
        return new DataInputStream(new BufferedInputStream(new FileInputStream(path), 1 << 16));
    }

    static Set<String> pairs(String path) throws IOException {
        Set<String> pairs = new HashSet<>();
        try (DataInputStream in = open(path)) {
            while (true) {
                String name;
                try {
                    name = getText(in);
                } catch (EOFException e) {
                    return pairs;
                }
                pairs.add(name + " " + in.readShort());
                for (int i = 0; i < 3; i++) get(in);
            }
        }
    }

    static void emit(DataOutputStream out, Definition definition, short version, String label, Message message)
            throws Exception {
        JsonNode json;
        Class<?> converter = Class.forName(definition.className() + "JsonConverter");
        Method show = converter.getMethod("write", message.getClass(), short.class, boolean.class);
        json = (JsonNode) show.invoke(null, message, version, true);
        complete(definition, version, definition.json().get("fields"), message, json);
        put(out, definition.name().getBytes(StandardCharsets.UTF_8));
        out.writeShort(version);
        put(out, label.getBytes(StandardCharsets.UTF_8));
        put(out, write(message, version));
        put(out, JSON.writeValueAsBytes(json));
    }

    static Message make(Filler filler, short version) throws Exception {
        Method parse = Class.forName(filler.definition.className() + "JsonConverter")
            .getMethod("read", JsonNode.class, short.class);
        return (Message) parse.invoke(null, filler.fill(filler.definition.json().get("fields"), 0), version);
    }

    static void generate(long seed, String path, String[] skip) throws Exception {
        Set<String> done = new HashSet<>();
        for (String file : skip) done.addAll(pairs(file));
        int vectors = 0, pairs = 0;
        try (DataOutputStream out = new DataOutputStream(new BufferedOutputStream(new FileOutputStream(path), 1 << 16))) {
            for (Definition definition : definitions()) {
                String valid = definition.json().get("validVersions").asText();
                String name = RENAMED.getOrDefault(definition.name(), definition.name());
                boolean rpc = definition.json().has("apiKey") && !definition.json().get("type").asText().startsWith("coord");
                if (skip.length > 0 && !rpc) continue;
                for (short version = 0; version < 64; version++) {
                    if (!contains(valid, version) || done.contains(name + " " + version)) continue;
                    emit(out, definition, version, "default", newMessage(definition));
                    Random random = new Random(seed ^ (definition.name() + version).hashCode());
                    List<Filler> fillers = new ArrayList<>(List.of(new High(definition, version), new Low(definition, version)));
                    for (int i = 0; i < RANDOM_MESSAGES; i++) fillers.add(new Seeded(definition, version, random));
                    for (int i = 0; i < fillers.size(); i++) {
                        Message message = make(fillers.get(i), version);
                        if (definition.isFlexible(version)) {
                            new Tagger(definition, version, random).add(definition.json().get("fields"), message);
                        }
                        emit(out, definition, version, i == 0 ? "high" : i == 1 ? "low" : "random " + (i - 1), message);
                    }
                    vectors += 1 + fillers.size();
                    pairs++;
                }
            }
        }
        System.out.println(path + ": " + vectors + " messages, " + pairs + " pairs");
    }

    static int verify(String path, String back) throws Exception {
        Map<String, Definition> byName = new HashMap<>();
        for (Definition definition : definitions()) byName.put(definition.name(), definition);
        int good = 0, bad = 0;
        try (DataInputStream want = open(path); DataInputStream got = open(back)) {
            while (true) {
                String name;
                try {
                    name = getText(want);
                } catch (EOFException e) {
                    break;
                }
                short version = want.readShort();
                String label = getText(want);
                byte[] bytes = get(want);
                get(want);
                String where = name + " v" + version + " " + label;
                if (!getText(got).equals(name) || got.readShort() != version || !getText(got).equals(label)) {
                    throw new IllegalStateException("the two files tell of different messages at " + where);
                }
                byte[] libkop = get(got);
                get(got);
                try {
                    Message mine = read(byName.get(name), version, bytes);
                    Message theirs = read(byName.get(name), version, libkop);
                    if (!mine.equals(theirs)) throw new IllegalStateException("another message");
                    good++;
                } catch (RuntimeException e) {
                    System.out.println(where + ": Java does not read libkop's bytes: " + e);
                    bad++;
                }
            }
        }
        System.out.println(path + ": Java reads " + good + " messages of libkop, " + bad + " not");
        return bad == 0 ? 0 : 1;
    }

    public static void main(String[] args) throws Exception {
        if (args.length >= 3 && args[0].equals("generate")) {
            generate(Long.parseLong(args[1]), args[2], java.util.Arrays.copyOfRange(args, 3, args.length));
        } else if (args.length == 3 && args[0].equals("verify")) {
            System.exit(verify(args[1], args[2]));
        } else {
            System.err.println("usage: Oracle generate SEED OUT [SKIP...] | verify IN BACK");
            System.exit(2);
        }
    }
}
