package peer;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import ca.uhn.fhir.context.support.IValidationSupport;
import ca.uhn.fhir.validation.FhirValidator;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.SnapshotGeneratingValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.UnknownCodeSystemWarningValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;
import org.hl7.fhir.r5.utils.validation.constants.BestPracticeWarningLevel;

/** HL7's validation engine with nothing to ask over a network; what it says, one JSON line each. */
final class Judge {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Pattern ENTRY = Pattern.compile("^Bundle\\.entry\\[(\\d+)\\]\\.resource(?:/\\*[^*]*\\*/|\\.ofType\\([^)]*\\))?");

    private final FhirValidator validator;

    Judge(FhirContext context, Definitions definitions, List<String> extensionDomains) {
        var unknown = new UnknownCodeSystemWarningValidationSupport(context);
        unknown.setNonExistentCodeSystemSeverity(IValidationSupport.IssueSeverity.WARNING);
        var chain = new ValidationSupportChain(
                new DefaultProfileValidationSupport(context),
                definitions.support(),
                new CommonCodeSystemsTerminologyService(context),
                new InMemoryTerminologyServerValidationSupport(context),
                new SnapshotGeneratingValidationSupport(context),
                unknown);
        var module = new FhirInstanceValidator(chain);
        module.setAnyExtensionsAllowed(false);
        module.setErrorForUnknownProfiles(definitions.guided());
        module.setNoTerminologyChecks(false);
        module.setBestPracticeWarningLevel(BestPracticeWarningLevel.Ignore);
        module.setCustomExtensionDomains(extensionDomains);
        validator = new FhirValidator(context).registerValidatorModule(module);
    }

    /** Everything the engine says about one Bundle, and one line that tells how much it was. */
    List<String> lines(Path file) throws IOException {
        var text = Files.readString(file);
        var bundle = JSON.readTree(text);
        var lines = new ArrayList<String>();
        for (var said : validator.validateWithResult(text).getMessages()) {
            var where = said.getLocationString() == null ? "" : said.getLocationString();
            var entry = ENTRY.matcher(where);
            boolean inside = entry.find();
            var resource = inside ? bundle.at("/entry/" + entry.group(1) + "/resource") : bundle;
            lines.add(line(file)
                    .put("entry", inside ? Integer.parseInt(entry.group(1)) : -1)
                    .put("id", resource.path("id").asText())
                    .put("type", resource.path("resourceType").asText())
                    .put("profile", resource.at("/meta/profile/0").asText())
                    .put("severity", said.getSeverity().getCode())
                    .put("location", inside ? where.substring(entry.end()).replaceFirst("^\\.", "") : where)
                    .put("message", said.getMessageId() == null ? "" : said.getMessageId())
                    .put("text", said.getMessage())
                    .toString());
        }
        lines.add(line(file).put("judged", bundle.path("entry").size()).toString());
        return lines;
    }

    private static ObjectNode line(Path file) {
        return JSON.createObjectNode().put("file", file.getFileName().toString());
    }

    /** The last line: its presence says that every Bundle was judged. */
    static String last(Definitions definitions, double seconds) {
        ObjectNode line = JSON.createObjectNode().put("done", true).put("definitions", definitions.used().size()).put("seconds", seconds);
        JsonNode leftOut = JSON.valueToTree(definitions.leftOut());
        line.set("left_out", leftOut);
        return line.toString();
    }
}
