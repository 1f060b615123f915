package peer;

import org.apache.camel.Processor;
import org.openehealth.ipf.platform.camel.ihe.hl7v3.PixPdqV3CamelValidators;
import org.openehealth.ipf.platform.camel.ihe.xds.XdsCamelValidators;

/** The transactions that this peer plays, with IPF's component and validators for each. */
enum Transaction {
    ITI_44("pixv3-iti44", "/pix", "iti44", false, "urn:hl7-org:v3:MCCI_IN000002UV01"),
    ITI_45("pixv3-iti45", "/pix", "iti45", false, "urn:hl7-org:v3:PRPA_IN201310UV02"),
    ITI_55("xcpd-iti55", "/xcpd", "iti55", false, "urn:hl7-org:v3:PRPA_IN201306UV02:CrossGatewayPatientDiscovery"),
    ITI_38("xca-iti38", "/xca/query", "iti38", false, "urn:ihe:iti:2007:CrossGatewayQueryResponse"),
    ITI_39("xca-iti39", "/xca/retrieve", "iti39", true, "urn:ihe:iti:2007:CrossGatewayRetrieveResponse"),
    ITI_41("xds-iti41", "/repository", "iti41", true, "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-bResponse");

    private final String component;
    private final String path;
    private final String ownPath;
    private final boolean mtom;
    private final String answerAction;

    Transaction(String component, String path, String ownPath, boolean mtom, String answerAction) {
        this.component = component;
        this.path = path;
        this.ownPath = ownPath;
        this.mtom = mtom;
        this.answerAction = answerAction;
    }

    /** Number as the framework prints it. */
    String number() {
        return name().replace('_', '-');
    }

    String component() {
        return component;
    }

    /** Path at the gateway. */
    String path() {
        return path;
    }

    /** Path at our own responder, which needs one address for each transaction. */
    String ownPath() {
        return ownPath;
    }

    boolean mtom() {
        return mtom;
    }

    String answerAction() {
        return answerAction;
    }

    boolean xds() {
        return this == ITI_38 || this == ITI_39 || this == ITI_41;
    }

    /** Whether an assertion goes with the request. */
    boolean asserted() {
        return this == ITI_55 || this == ITI_38 || this == ITI_39;
    }

    Processor requestValidator() {
        return switch (this) {
            case ITI_44 -> PixPdqV3CamelValidators.iti44RequestValidator();
            case ITI_45 -> PixPdqV3CamelValidators.iti45RequestValidator();
            case ITI_55 -> PixPdqV3CamelValidators.iti55RequestValidator();
            case ITI_38 -> XdsCamelValidators.iti38RequestValidator();
            case ITI_39 -> XdsCamelValidators.iti39RequestValidator();
            case ITI_41 -> XdsCamelValidators.iti41RequestValidator();
        };
    }

    Processor responseValidator() {
        return switch (this) {
            case ITI_44 -> PixPdqV3CamelValidators.iti44ResponseValidator();
            case ITI_45 -> PixPdqV3CamelValidators.iti45ResponseValidator();
            case ITI_55 -> PixPdqV3CamelValidators.iti55ResponseValidator();
            case ITI_38 -> XdsCamelValidators.iti38ResponseValidator();
            case ITI_39 -> XdsCamelValidators.iti39ResponseValidator();
            case ITI_41 -> XdsCamelValidators.iti41ResponseValidator();
        };
    }
}
