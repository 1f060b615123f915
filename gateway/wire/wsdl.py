"""The WSDL of every SOAP endpoint: self-contained, payloads as any element.

`INTERFACES.md` section 3; ITI TF-2: Appendix V.2. Whether a transaction is built yet makes no
difference here: the door is there, and answers `wsa:ActionNotSupported` until it is.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.wire import xml
from gateway.wire.xml import EMPTY, Fragment, Template

_HL7 = xml.NAMESPACES["hl7"]
_QUERY = xml.NAMESPACES["query"]
_RS = xml.NAMESPACES["rs"]
_XDS = xml.NAMESPACES["xds"]
_UPLOADS = "urn:regional-gateway:uploads:1"
_ACCEPT = "MCCI_IN000002UV01"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation: actions and payload elements of request and response."""

    name: str
    action: str
    request: tuple[str, str]
    "Namespace and local name of the payload."
    response_action: str
    response: tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One endpoint as a WSDL service."""

    name: str
    "The framework's name of the actor."
    operations: tuple[Operation, ...]
    mtom: bool = False
    "MTOM/XOP in both directions (ITI TF-2: V.8)."


def _v3(
    actor: str, request: str, response: str, *, suffix: str = "", tail: str = "", reply: str = ""
) -> Operation:
    """An HL7 v3 operation: the action is `urn:hl7-org:v3:` and the interaction (V.3)."""
    return Operation(
        name=f"{actor}_{request}{suffix}",
        action=f"{_HL7}:{request}{suffix}{tail}",
        request=(_HL7, request + (suffix if suffix == "_Cancel" else "")),
        response_action=f"{_HL7}:{response}{reply}",
        response=(_HL7, response),
    )


def _iti(
    actor: str, transaction: str, request: tuple[str, str], response: tuple[str, str]
) -> Operation:
    """An operation whose action is `urn:ihe:iti:2007:` and the transaction's name (V.3)."""
    action = f"urn:ihe:iti:2007:{transaction}"
    return Operation(
        name=f"{actor}_{transaction}",
        action=action,
        request=request,
        response_action=f"{action}Response",
        response=response,
    )


_ADHOC = ((_QUERY, "AdhocQueryRequest"), (_QUERY, "AdhocQueryResponse"))
_RETRIEVE = ((_XDS, "RetrieveDocumentSetRequest"), (_XDS, "RetrieveDocumentSetResponse"))
_PROVIDE = ((_XDS, "ProvideAndRegisterDocumentSetRequest"), (_RS, "RegistryResponse"))
_DISCOVERY = ":CrossGatewayPatientDiscovery"

SERVICES = {
    "/pix": Service(
        name="PIXManager",
        operations=(
            _v3("PIXManager", "PRPA_IN201301UV02", _ACCEPT),
            _v3("PIXManager", "PRPA_IN201302UV02", _ACCEPT),
            _v3("PIXManager", "PRPA_IN201304UV02", _ACCEPT),
            _v3("PIXManager", "PRPA_IN201309UV02", "PRPA_IN201310UV02"),
        ),
    ),
    "/pix/consumer": Service(
        name="PIXConsumer", operations=(_v3("PIXConsumer", "PRPA_IN201302UV02", _ACCEPT),)
    ),
    "/pdq": Service(
        name="PDSupplier",
        operations=(
            _v3("PDSupplier", "PRPA_IN201305UV02", "PRPA_IN201306UV02"),
            _v3("PDSupplier", "QUQI_IN000003UV01", "PRPA_IN201306UV02", suffix="_Continue"),
            _v3("PDSupplier", "QUQI_IN000003UV01", _ACCEPT, suffix="_Cancel"),
        ),
    ),
    "/xcpd": Service(
        name="RespondingGateway_XCPD",
        operations=(
            _v3(
                "RespondingGateway",
                "PRPA_IN201305UV02",
                "PRPA_IN201306UV02",
                tail=_DISCOVERY,
                reply=_DISCOVERY,
            ),
        ),
    ),
    "/xca/query": Service(
        name="RespondingGateway_Query",
        operations=(_iti("RespondingGateway", "CrossGatewayQuery", *_ADHOC),),
    ),
    "/xca/retrieve": Service(
        name="RespondingGateway_Retrieve",
        operations=(_iti("RespondingGateway", "CrossGatewayRetrieve", *_RETRIEVE),),
        mtom=True,
    ),
    "/registry": Service(
        name="DocumentRegistry",
        operations=(_iti("DocumentRegistry", "RegistryStoredQuery", *_ADHOC),),
    ),
    "/repository": Service(
        name="DocumentRepository",
        operations=(
            _iti("DocumentRepository", "RetrieveDocumentSet", *_RETRIEVE),
            _iti("DocumentRepository", "ProvideAndRegisterDocumentSet-b", *_PROVIDE),
        ),
        mtom=True,
    ),
    "/uploads/soap": Service(
        name="Uploads",
        operations=(
            Operation(
                name="Uploads_Upload",
                action=f"{_UPLOADS}:Upload",
                request=(_UPLOADS, "UploadRequest"),
                response_action=f"{_UPLOADS}:UploadResponse",
                response=(_UPLOADS, "UploadResponse"),
            ),
        ),
        mtom=True,
    ),
}
"Every SOAP endpoint of `INTERFACES.md` section 3, by its path."


_DEFINITIONS = Template(
    """<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/"
      xmlns:soap12="http://schemas.xmlsoap.org/wsdl/soap12/"
      xmlns:wsaw="http://www.w3.org/2006/05/addressing/wsdl"
      xmlns:wsoma="http://schemas.xmlsoap.org/ws/2004/09/policy/optimizedmimeserialization"
      xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:tns="urn:regional-gateway:wsdl:{name}"
      name="{name}" targetNamespace="urn:regional-gateway:wsdl:{name}">
    <wsdl:types>{schemas}</wsdl:types>{messages}
    <wsdl:portType name="{name}_PortType">{operations}</wsdl:portType>
    <wsdl:binding name="{name}_Binding_Soap12" type="tns:{name}_PortType">
    <soap12:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <wsaw:UsingAddressing wsdl:required="true"/>{mtom}{bindings}</wsdl:binding>
    <wsdl:service name="{name}_Service">
    <wsdl:port name="{name}_Port_Soap12" binding="tns:{name}_Binding_Soap12">
    <soap12:address location="{address}"/></wsdl:port></wsdl:service></wsdl:definitions>"""
)
_SCHEMA = Template(
    """<xs:schema targetNamespace="{namespace}" elementFormDefault="qualified">{elements}
    </xs:schema>"""
)
_ELEMENT = Template(
    """<xs:element name="{name}"><xs:complexType><xs:sequence>
    <xs:any minOccurs="0" maxOccurs="unbounded" processContents="skip"/></xs:sequence>
    <xs:anyAttribute processContents="skip"/></xs:complexType></xs:element>"""
)
_MESSAGE = Template(
    """<wsdl:message name="{name}"><wsdl:part xmlns:p="{namespace}" name="Body"
      element="p:{element}"/></wsdl:message>"""
)
_OPERATION = Template(
    """<wsdl:operation name="{name}">
    <wsdl:input message="tns:{name}_Request" wsaw:Action="{action}"/>
    <wsdl:output message="tns:{name}_Response" wsaw:Action="{response_action}"/>
    </wsdl:operation>"""
)
_BINDING = Template(
    """<wsdl:operation name="{name}">
    <soap12:operation soapAction="{action}" soapActionRequired="false"/>
    <wsdl:input><soap12:body use="literal"/></wsdl:input>
    <wsdl:output><soap12:body use="literal"/></wsdl:output></wsdl:operation>"""
)
_MTOM = Fragment("<wsoma:OptimizedMimeSerialization/>")


def wsdl(endpoint: str, address: str) -> bytes:
    """The WSDL of one endpoint at its own address; raises `KeyError` for a path without SOAP."""
    service = SERVICES[endpoint]
    payloads = [payload for o in service.operations for payload in (o.request, o.response)]
    return _DEFINITIONS.fill(
        name=service.name,
        address=address,
        schemas=_schemas(payloads),
        messages=xml.join(map(_messages, service.operations)),
        operations=xml.join(
            _OPERATION.fill(name=o.name, action=o.action, response_action=o.response_action)
            for o in service.operations
        ),
        mtom=_MTOM if service.mtom else EMPTY,
        bindings=xml.join(_BINDING.fill(name=o.name, action=o.action) for o in service.operations),
    ).encode()


def _schemas(payloads: Iterable[tuple[str, str]]) -> Fragment:
    """One schema per namespace, with each payload element once."""
    elements: dict[str, list[str]] = {}
    for namespace, name in dict.fromkeys(payloads):
        elements.setdefault(namespace, []).append(name)
    return xml.join(
        _SCHEMA.fill(
            namespace=namespace, elements=xml.join(_ELEMENT.fill(name=name) for name in names)
        )
        for namespace, names in elements.items()
    )


def _messages(operation: Operation) -> Fragment:
    """The request's and the response's message."""
    return xml.join(
        _MESSAGE.fill(name=f"{operation.name}_{role}", namespace=namespace, element=element)
        for role, (namespace, element) in (
            ("Request", operation.request),
            ("Response", operation.response),
        )
    )
