"""Why: the questions that `decide` asks, in its order, each with its answer.

For the help desk (`gateway patient why`): nothing here decides. The last step is the decision
itself, so that an explanation can never say something else than what a caller gets.
"""

from dataclasses import dataclass
from enum import Enum

from gateway.consent.policy import Request, Standing, decide, groups_of, rights_of
from gateway.model.caller import CallerKind
from gateway.model.category import Category
from gateway.model.consent import Denial
from gateway.model.network import NetworkPolicy


class Answer(Enum):
    """How one question came out."""

    YES = "yes"
    NO = "no"
    LIMITS = "limits"
    "Goes on, with less."


@dataclass(frozen=True, slots=True)
class Step:
    """One question, its rule and its answer, for people."""

    rule: str
    answer: Answer
    english: str
    japanese: str


def explain(policy: NetworkPolicy, request: Request, standing: Standing) -> tuple[Step, ...]:
    """The steps up to the one that decided, and the decision."""
    decision = decide(policy, request, standing)
    steps: list[Step] = []
    for step in _questions(policy, request, standing):
        steps.append(step)
        if step.answer is Answer.NO:
            break
    if isinstance(decision, Denial):
        said = Step(
            decision.rule, Answer.NO, f"refused: {decision.reason}", "開示しません"
        )  # fmt: skip
    elif decision.own_only:
        said = Step(
            decision.rule, Answer.LIMITS, "shown: the facility's own data only",
            "自施設のデータのみ開示します",
        )  # fmt: skip
    else:
        names = ", ".join(sorted(c.value for c in decision.categories)) or "nothing"
        said = Step(decision.rule, Answer.YES, f"shown: {names}", f"開示する項目: {names}")
    return (*steps, said)


def _questions(policy: NetworkPolicy, request: Request, standing: Standing) -> list[Step]:
    """Every question for this kind of caller; those behind a *no* are not reached."""
    caller = request.caller
    known = caller.network == policy.network and bool(caller.facility and caller.subject)
    steps = [
        _step("ACC-01", known, "the caller is established in this network",
              "呼出元がこのネットワークで確定している"),
    ]  # fmt: skip
    if caller.kind is CallerKind.JOB:
        return [*steps, _step("ACC-14", False, "the gateway itself reads records", "自動処理")]
    if caller.kind is CallerKind.OPERATOR:
        allowed = caller.purpose in policy.operator_purposes
        steps.append(_step("ACC-11", allowed, "the purpose is operational", "業務目的である"))
        return [*steps, _takes_part(standing, "CON-01")]
    neighbour = caller.kind is CallerKind.NEIGHBOUR
    if neighbour:
        agreed = caller.home is not None and caller.categories is not None
        steps.append(_step("XCA-03", agreed, "an agreement is in force", "協定が有効である"))
    steps.append(
        _step("ACC-11", caller.purpose in policy.purposes,
              f"the purpose {caller.purpose} is one of this network", "利用目的が認められている")
    )  # fmt: skip
    rights = rights_of(policy, caller, request.purpose)
    steps.append(
        _step(rights.rule if isinstance(rights, Denial) else "ACC-04",
              not isinstance(rights, Denial),
              f"{caller.facility_type.value} / {caller.role} has rights",
              "施設種別と職種に権限がある")
    )  # fmt: skip
    steps.append(_takes_part(standing, "PIX-04" if request.owns and not neighbour else "CON-01"))
    if not neighbour and policy.access.relation_required:
        steps.append(
            _step("ACC-04", request.owns or request.related,
                  "the facility has a linked chart of this person", "施設に紐づくカルテがある")
        )  # fmt: skip
    hit = standing.groups & groups_of(policy.exclusion, caller.facility_type)
    steps.append(
        _step("EXC-02", not hit, "the person does not exclude this type of facility",
              "この種別の施設は除外されていない")
    )  # fmt: skip
    hidden = _hidden(policy, request, standing)
    if hidden:
        names = ", ".join(sorted(category.value for category in hidden))
        steps.append(Step("EXC-01", Answer.LIMITS, f"excluded by the person: {names}",
                          f"本人が除外した項目: {names}"))  # fmt: skip
    return steps


def _hidden(policy: NetworkPolicy, request: Request, standing: Standing) -> frozenset[Category]:
    """The items that the person's exclusions take from this caller (EXC-01, RD-04)."""
    groups = groups_of(policy.exclusion, request.caller.facility_type)
    hidden = standing.items | {item for item, group in standing.pairs if group in groups}
    if policy.exclusion.prescription_hides_dispensing and Category.PRESCRIPTION in hidden:
        hidden |= {Category.DISPENSING}
    return hidden


def _takes_part(standing: Standing, rule: str) -> Step:
    if standing.withdrawn:
        return _step("WDR-01", False, "the person takes part", "同意が有効である")
    return _step(rule, standing.participates, "the person takes part", "同意が有効である")


def _step(rule: str, holds: bool, english: str, japanese: str) -> Step:
    return Step(rule, Answer.YES if holds else Answer.NO, english, japanese)
