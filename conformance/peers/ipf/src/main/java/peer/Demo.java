package peer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.NoSuchElementException;

/** What {@code gateway init DIR --demo} left in DIR: {@code demo.json} and {@code pki/}. */
record Demo(Path folder, String home, String repository, List<Facility> facilities, List<Patient> patients) {
    /** Domain of the shared patient id, under the arc for examples. */
    static final String SHARED_ID_DOMAIN = "2.999.20.1";
    /** Home community of the neighbour that this program plays. */
    static final String NEIGHBOUR = "2.999.10.2";

    record Facility(String name, String domain) {}

    record Id(String domain, String value) {
        /** As HL7 v2 CX, which XDS uses. */
        String cx() {
            return value + "^^^&" + domain + "&ISO";
        }
    }

    /** A name is family and given, each in kanji and in kana. */
    record Name(String family, String given, String familyKana, String givenKana) {}

    record Doc(String uniqueId, String hash, long size, String mimeType, String repository) {}

    record Patient(String label, Name name, String birth, String gender, List<Id> ids, List<Doc> documents) {
        Id id(String domain) {
            return ids.stream().filter(id -> id.domain().equals(domain)).findFirst().orElseThrow(
                    () -> new NoSuchElementException("demo.json: patient " + label + " has no identifier in " + domain));
        }

        /** HL7 administrative gender. */
        String sex() {
            return switch (gender) {
                case "female" -> "F";
                case "male" -> "M";
                default -> "UN";
            };
        }

        String birthTime() {
            return birth.replace("-", "");
        }
    }

    static Demo read(Path folder) throws IOException {
        var root = new ObjectMapper().readTree(folder.resolve("demo.json").toFile());
        var community = root.path("community");
        var repository = required(community, "repository_id");
        var facilities = new ArrayList<Facility>();
        for (var facility : root.path("facilities")) {
            facilities.add(new Facility(required(facility, "name"), facility.path("domain").asText("")));
        }
        var patients = new ArrayList<Patient>();
        for (var patient : root.path("patients")) {
            patients.add(patient(patient, repository));
        }
        return new Demo(folder, required(community, "home_community_id").replace("urn:oid:", ""),
                repository, facilities, patients);
    }

    Facility facility(String name) {
        return facilities.stream().filter(facility -> facility.name().equals(name)).findFirst()
                .orElseThrow(() -> new NoSuchElementException("demo.json has no facility " + name));
    }

    Patient patient(String label) {
        return patients.stream().filter(patient -> patient.label().equals(label)).findFirst()
                .orElseThrow(() -> new NoSuchElementException("demo.json has no patient " + label));
    }

    String homeUrn() {
        return "urn:oid:" + home;
    }

    private static Patient patient(JsonNode node, String repository) {
        var ids = new ArrayList<Id>();
        for (var id : node.path("identifiers")) {
            ids.add(new Id(required(id, "domain"), required(id, "value")));
        }
        var documents = new ArrayList<Doc>();
        for (var doc : node.path("documents")) {
            documents.add(new Doc(required(doc, "unique_id"), required(doc, "hash"), doc.path("size").asLong(),
                    doc.path("mime_type").asText(""), doc.path("repository_id").asText(repository)));
        }
        var kanji = halves(node.path("name").path("kanji"));
        var kana = halves(node.path("name").path("kana"));
        return new Patient(required(node, "label"), new Name(kanji[0], kanji[1], kana[0], kana[1]),
                required(node, "birth"), node.path("gender").asText(""), ids, documents);
    }

    /** Family and given name out of one text or out of an object with both. */
    private static String[] halves(JsonNode name) {
        if (name.isObject()) {
            return new String[] {name.path("family").asText(""), name.path("given").asText("")};
        }
        var parts = name.asText("").strip().split("[ \u3000]+", 2);
        return new String[] {parts[0], parts.length > 1 ? parts[1] : ""};
    }

    private static String required(JsonNode node, String key) {
        var value = node.path(key);
        if (!value.isValueNode() || value.asText().isEmpty()) {
            throw new NoSuchElementException("demo.json: \"" + key + "\" is missing in " + node);
        }
        return value.asText();
    }
}
