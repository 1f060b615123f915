"""Certificate path at a moment: from a certificate to a pinned authority (RFC 5280 6.1).

Paths are looked for here, with a budget, because whoever made the document chose the certificates
in it. Each path found is judged by the path library; revocation is judged in `revocation`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from asn1crypto import algos, keys, x509
from pyhanko_certvalidator.authority import AuthorityWithCert, TrustAnchor
from pyhanko_certvalidator.context import ValidationContext
from pyhanko_certvalidator.errors import (
    DisallowedAlgorithmError,
    ExpiredError,
    NotYetValidError,
    PathValidationError,
)
from pyhanko_certvalidator.name_trees import (
    default_excluded_subtrees,
    default_permitted_subtrees,
    process_general_subtrees,
)
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.policy_decl import (
    NO_REVOCATION,
    AlgorithmUsageConstraint,
    AlgorithmUsagePolicy,
    CertRevTrustPolicy,
    PKIXValidationParams,
)
from pyhanko_certvalidator.registry import SimpleTrustManager
from pyhanko_certvalidator.validate import async_validate_path

from gateway.hpki.certificates import key_weakness, signature_weakness
from gateway.hpki.libraries import RAISED, completed
from gateway.hpki.names import same_name
from gateway.hpki.opened import failed
from gateway.hpki.policy import Algorithms, Anchor
from gateway.model.signature import Check

Subtrees = dict[object, object]
"Name constraints as the path library holds them."
SECTION = "RFC 5280 6.1"
ANY_POLICY = "any_policy"
"Ask for this where policies do not matter."
UNKNOWN_ISSUER = failed(
    "path",
    "no path leads to a trusted authority: the issuer is unknown",
    "信頼する認証局につながりません（発行者が不明です）",
    SECTION,
)
EXPIRED = failed("path", "the certificate had expired", "証明書の期限が切れています", SECTION)
AUTHORITY_EXPIRED = failed(
    "path", "an authority's certificate had expired", "認証局の期限が切れています", SECTION
)
OUT_OF_TIME = failed(
    "path",
    "the authority is not trusted for that moment",
    "その時点では信頼する認証局ではありません",
    SECTION,
)
WEAK_KEY = failed(
    "path",
    "the certificate's own key is too weak for that moment",
    "証明書の鍵がその時点で認められる強度ではありません",
    SECTION,
)
_DEPTH = 6
_STEPS = 200
_PATHS = 8
_RULES = (
    ("not a CA", "an issuer is not an authority", "発行者が認証局ではありません"),
    ("maximum path length", "the path is longer than allowed", "認証パスが長すぎます"),
    (
        "not allowed to sign",
        "an authority may not sign certificates",
        "認証局の鍵用途に証明書署名がありません",
    ),
    (
        "critical extension",
        "a critical extension is not understood",
        "解釈できない重要な拡張があります",
    ),
    ("valid set of policies", "the path allows no policy", "有効な証明書ポリシーがありません"),
    ("namespace", "a name is outside its authority's constraint", "名前制約に反しています"),
    ("issuer name", "an issuer's name does not match", "発行者名が一致しません"),
    (
        "could not be verified",
        "the signature of a certificate in the path does not verify",
        "認証パスの証明書の署名が正しくありません",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A path that holds."""

    certificates: tuple[x509.Certificate, ...]
    "From the end entity upwards, without the authority that is pinned."
    anchor: Anchor
    policies: frozenset[str]
    "Policies of those asked for that are valid for the whole path."

    def spans(self, moment: datetime) -> bool:
        """Whether every certificate of the path is within its validity at `moment`."""
        return all(
            one.not_valid_before <= moment <= one.not_valid_after for one in self.certificates
        )

    @property
    def links(self) -> Iterator[tuple[x509.Certificate, x509.Certificate]]:
        """Each certificate that can be revoked, with its issuer."""
        yield from zip(
            self.certificates, (*self.certificates[1:], self.anchor.certificate), strict=False
        )


class _Allowed(AlgorithmUsagePolicy):  # type: ignore[misc]
    """Our list of algorithms, as the path library asks for it."""

    def __init__(self, allowed: Algorithms) -> None:
        self._allowed = allowed

    def signature_algorithm_allowed(
        self,
        algo: algos.SignedDigestAlgorithm,
        moment: datetime | None,
        public_key: keys.PublicKeyInfo | None,
    ) -> AlgorithmUsageConstraint:
        """Whether a certificate may be signed so, with such a key."""
        reason = signature_weakness(algo, self._allowed)
        if not reason and public_key is not None:
            reason = key_weakness(public_key, self._allowed)
        return AlgorithmUsageConstraint(allowed=not reason, failure_reason=reason or None)


def validate(
    certificate: x509.Certificate,
    helpers: Iterable[x509.Certificate],
    anchors: Iterable[Anchor],
    *,
    moment: datetime,
    relied: datetime | None = None,
    policies: frozenset[str],
    algorithms: Algorithms,
) -> Chain | Check:
    """The path from `certificate` to one of `anchors` that held at `moment`, or why there is none.

    The authority must be trusted for `relied`, which is `moment` unless said. An authority that is
    pinned itself needs no path. A certificate that no pinned authority is known to have issued is
    a refusal: what is unknown is not trusted (SIG-02).

    A path that held is remembered with everything that it rests on: certificates, authorities and
    their days, policies, algorithms. It is used again only for the same, within its certificates'
    validity; another trust or policy is another question.
    """
    relied = relied or moment
    anchors, helpers = tuple(anchors), tuple(helpers)
    key = (
        certificate.sha256,
        frozenset(helper.sha256 for helper in helpers),
        tuple(
            (anchor.certificate.sha256, anchor.since, anchor.until)
            for anchor in anchors
            if anchor.covers(relied)
        ),
        policies,
        algorithms,
    )
    known = _held.get(key)
    if known is not None and known.spans(moment):
        return known
    found = _search(certificate, helpers, anchors, moment, relied, policies, algorithms)
    if isinstance(found, Chain):
        while len(_held) >= _REMEMBERED:
            _held.pop(next(iter(_held)), None)
        _held[key] = found
    return found


_REMEMBERED = 512
"Paths that are remembered; the oldest is forgotten first."
_held: dict[object, Chain] = {}


def _search(
    certificate: x509.Certificate,
    helpers: tuple[x509.Certificate, ...],
    anchors: tuple[Anchor, ...],
    moment: datetime,
    relied: datetime,
    policies: frozenset[str],
    algorithms: Algorithms,
) -> Chain | Check:
    """The first path that holds, or why the first one found does not."""
    pinned = [one for one in anchors if one.certificate.dump() == certificate.dump()]
    for anchor in pinned:
        if anchor.covers(relied):
            return Chain(certificates=(), anchor=anchor, policies=frozenset())
    refused: Check | None = OUT_OF_TIME if pinned else None
    for certificates, anchor in _paths(certificate, helpers, anchors):
        if anchor.covers(relied):
            found = _judge(certificates, anchor, moment, policies, algorithms)
        else:
            found = OUT_OF_TIME
        if isinstance(found, Chain):
            return WEAK_KEY if key_weakness(certificate.public_key, algorithms) else found
        refused = refused or found
    return refused or UNKNOWN_ISSUER


def _paths(
    certificate: x509.Certificate,
    helpers: tuple[x509.Certificate, ...],
    anchors: tuple[Anchor, ...],
) -> Iterator[tuple[tuple[x509.Certificate, ...], Anchor]]:
    """Paths by names and key identifiers, shortest first, within the budget."""
    waiting: list[tuple[x509.Certificate, ...]] = [(certificate,)]
    steps = paths = 0
    while waiting and steps < _STEPS and paths < _PATHS:
        steps += 1
        path = waiting.pop(0)
        for anchor in anchors:
            if _may_issue(anchor.certificate, path[-1]):
                paths += 1
                yield path, anchor
        if len(path) < _DEPTH:
            seen = {one.sha256 for one in path}
            for helper in helpers:
                if helper.sha256 not in seen and _may_issue(helper, path[-1]):
                    seen.add(helper.sha256)
                    waiting.append((*path, helper))


def _may_issue(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Whether names and key identifiers allow it (RFC 5280 4.2.1.1)."""
    if not same_name(issuer.subject, certificate.issuer):
        return False
    wanted, given = certificate.authority_key_identifier, issuer.key_identifier
    return wanted is None or given is None or wanted == given


def _judge(
    certificates: tuple[x509.Certificate, ...],
    anchor: Anchor,
    moment: datetime,
    policies: frozenset[str],
    algorithms: Algorithms,
) -> Chain | Check:
    """One path by the rules of RFC 5280; no policy mapping, no anyPolicy."""
    path = ValidationPath(
        TrustAnchor(AuthorityWithCert(anchor.certificate)),
        interm=list(reversed(certificates[1:])),
        leaf=certificates[0],
    )
    try:
        permitted, excluded = _constraints(anchor.certificate)
        parameters = PKIXValidationParams(
            user_initial_policy_set=policies,
            initial_policy_mapping_inhibit=True,
            initial_any_policy_inhibit=True,
            initial_permitted_subtrees=permitted,
            initial_excluded_subtrees=excluded,
        )
        context = ValidationContext(
            trust_manager=SimpleTrustManager(),
            moment=moment,
            revinfo_policy=CertRevTrustPolicy(NO_REVOCATION),
            time_tolerance=timedelta(0),
            algorithm_usage_policy=_Allowed(algorithms),
        )
        completed(async_validate_path(context, path, parameters))
        found = path.qualified_policies() or frozenset()
    except RAISED as error:
        return _reason(error)
    valid = frozenset(policy.user_domain_policy_id for policy in found)
    wanted = valid if ANY_POLICY in policies else valid & policies
    return Chain(certificates=certificates, anchor=anchor, policies=wanted)


def _constraints(certificate: x509.Certificate) -> tuple[Subtrees | None, Subtrees | None]:
    """Names that a pinned authority may and may not speak about (RFC 5937 3.2)."""
    value = certificate.name_constraints_value
    if value is None:
        return None, None
    found = []
    for key, trees in (
        ("permitted_subtrees", default_permitted_subtrees()),
        ("excluded_subtrees", default_excluded_subtrees()),
    ):
        if isinstance(value[key], x509.GeneralSubtrees):
            trees = {**trees, **process_general_subtrees(value[key])}
        found.append(trees)
    return found[0], found[1]


def _reason(error: BaseException) -> Check:
    """The library's error as a fixed text; its own may name people (G11)."""
    if isinstance(error, ExpiredError):
        if error.is_ee_cert:
            return failed(
                "path", "the certificate had expired", "証明書の期限が切れています", SECTION
            )
        return failed(
            "path", "an authority's certificate had expired", "認証局の期限が切れています", SECTION
        )
    if isinstance(error, NotYetValidError):
        return failed(
            "path", "the certificate was not valid yet", "証明書の有効期間前です", SECTION
        )
    if isinstance(error, DisallowedAlgorithmError):
        return failed(
            "path",
            "a certificate in the path is signed too weakly",
            "認証パスの署名方式が弱いため認められません",
            SECTION,
        )
    if isinstance(error, PathValidationError):
        for mark, english, japanese in _RULES:
            if mark in error.failure_msg:
                return failed("path", english, japanese, SECTION)
    return failed(
        "path", "the certificate path breaks RFC 5280", "認証パスが規格に反しています", SECTION
    )
