package peer;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import ca.uhn.fhir.parser.IParser;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.zip.GZIPInputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.hl7.fhir.common.hapi.validation.support.PrePopulatedValidationSupport;
import org.hl7.fhir.r4.model.CodeSystem;
import org.hl7.fhir.r4.model.MetadataResource;

/**
 * The profiles, value sets and code systems of implementation guides, read from their packages.
 *
 * <p>The first package that defines a canonical has it, and what FHIR R4 itself defines is not taken from a guide. Guides
 * ship excerpts of code systems that others own and call them complete (JP-CLINS: a LOINC of two codes); those are left
 * out. Canonicals that end in {@code |4.0.1} lose it: HAPI does not find its own core definitions by it.
 */
record Definitions(PrePopulatedValidationSupport support, List<String> used, List<String> leftOut, boolean guided) {
    private static final Set<String> KINDS = Set.of("StructureDefinition", "ValueSet", "CodeSystem");
    /** Owners of code systems that a Japanese guide may define. */
    private static final List<String> OWNERS = List.of(
            "http://jpfhir.jp/", "http://jami.jp/", "http://medis.or.jp/", "http://medis.jp/", "http://www.hospital.or.jp/", "urn:oid:1.2.392.");

    /** Of single files, which come before all packages, and of packages; {@code guided} says whether there were any. */
    static Definitions load(FhirContext context, List<Path> files, List<Path> packages) throws IOException {
        var core = new DefaultProfileValidationSupport(context);
        var support = new PrePopulatedValidationSupport(context);
        Map<String, MetadataResource> found = new TreeMap<>();
        var leftOut = new ArrayList<String>();
        for (var file : files) {
            if (parse(context.newJsonParser(), Files.readString(file)) instanceof MetadataResource definition) {
                found.put(definition.fhirType() + " " + definition.getUrl(), definition);
            } else {
                throw new IOException(file + " defines nothing");
            }
        }
        for (var file : packages) {
            for (var text : read(file)) {
                var parser = context.newJsonParser();
                if (!(parse(parser, text) instanceof MetadataResource definition)) {
                    continue;
                }
                var name = definition.fhirType() + " " + definition.getUrl();
                if (found.containsKey(name) || isForeign(definition) || isCore(core, definition)) {
                    leftOut.add(name + " of " + file.getFileName());
                } else {
                    found.put(name, definition);
                }
            }
        }
        found.values().forEach(support::addResource);
        return new Definitions(support, List.copyOf(found.keySet()), leftOut, !packages.isEmpty());
    }

    private static boolean isForeign(MetadataResource definition) {
        return definition instanceof CodeSystem && OWNERS.stream().noneMatch(definition.getUrl()::startsWith);
    }

    private static boolean isCore(DefaultProfileValidationSupport core, MetadataResource definition) {
        return switch (definition.fhirType()) {
            case "StructureDefinition" -> core.fetchStructureDefinition(definition.getUrl()) != null;
            case "ValueSet" -> core.fetchValueSet(definition.getUrl()) != null;
            default -> core.fetchCodeSystem(definition.getUrl()) != null;
        };
    }

    private static Object parse(IParser parser, String text) {
        return parser.parseResource(text.replace("|4.0.1\"", "\""));
    }

    private static List<String> read(Path file) throws IOException {
        var texts = new ArrayList<String>();
        try (var tar = new TarArchiveInputStream(
                new GZIPInputStream(new BufferedInputStream(Files.newInputStream(file))))) {
            for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
                var name = entry.getName().substring(entry.getName().lastIndexOf('/') + 1);
                if (entry.getName().startsWith("package/") && name.endsWith(".json")) {
                    var text = new String(tar.readAllBytes(), StandardCharsets.UTF_8);
                    if (KINDS.stream().anyMatch(kind -> text.contains("\"" + kind + "\"") && name.startsWith(kind))) {
                        texts.add(text);
                    }
                }
            }
        }
        return texts;
    }
}
