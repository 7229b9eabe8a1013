"""The trivia game as people play it: real pages in a real Chromium, a real server."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import segno
from playwright.sync_api import expect

from examples.trivia.questions import QUESTIONS, Question
from tests.system.browser import Screen, chromium, screen
from tests.system.processes import Server, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.system]

APP = "tests/system/playing.py"
PROMPTS = {question.prompt: question for question in QUESTIONS.values()}


@pytest.fixture(scope="module")
def started() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def browser(started: Browser) -> Iterator[Browser]:
    """With no pages of former tests, whose timers would go on."""
    yield started
    for context in started.contexts:
        context.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all: every test makes rooms of its own."""
    folder = tmp_path_factory.mktemp("trivia")
    with running(APP, folder, command="dev") as started:
        yield started


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Server]:
    """One to kill."""
    with running(APP, tmp_path, command="dev") as started:
        yield started


# --------------------------------------------------------------------------- what people do


def button(page: Page, name: str) -> Any:
    return page.get_by_role("button", name=re.compile(name))


def create(server: Server, browser: Browser, name: str) -> tuple[Screen, str]:
    """Somebody makes a room; their screen, and the link to share."""
    person = screen(browser, name)
    person.page.goto(server.url)
    person.page.get_by_label("Your name").fill(name)
    button(person.page, "Create room").click()
    expect(person.page.get_by_role("heading", name="Invite")).to_be_visible()
    return person, person.page.url


def join(link: str, browser: Browser, name: str) -> Screen:
    person = screen(browser, name)
    person.page.goto(link)
    person.page.get_by_label("Your name").fill(name)
    button(person.page, "^Join$").click()
    expect(button(person.page, "I'm ready")).to_be_visible()
    return person


def shorten(page: Page, categories: int, questions: int) -> None:
    """The host makes the game shorter than it is by default."""
    for label, wanted in (("Categories", categories), ("Questions in each", questions)):
        group = page.get_by_role("group", name=label)
        while (count := int(group.locator("output").inner_text())) != wanted:
            group.get_by_role("button", name=f"{'Fewer' if count > wanted else 'More'}").click()
            expect(group.locator("output")).not_to_have_text(str(count))


def asked(page: Page) -> Question:
    """The question that a page shows, or waits for."""
    prompt = page.locator(".question .prompt")
    expect(prompt).to_be_visible()
    return PROMPTS[prompt.inner_text()]


def over(page: Page, question: Question) -> None:
    """Wait until a page shows that this question has ended."""
    prompt = page.locator(".question .prompt").filter(has_text=question.prompt)
    expect(prompt).to_have_count(0)


def enter(page: Page, question: Question) -> None:
    """Enter the right answer, with the controls of its type."""
    match question.type:
        case "text":
            # In capitals and with spaces around it, for it may be a number: right all the same, and
            # not to be mistaken for what the server may leak.
            page.get_by_label("Your answer").fill(f" {question.answers[0].upper()} ")
        case "select":
            page.get_by_label("Your answer").focus()  # as a finger or the Tab key would
            page.get_by_label("Your answer").select_option(question.answers[0])
        case "radio":
            page.get_by_role("radio", name=question.answers[0], exact=True).check()
        case "poll":
            page.get_by_role("radio", name=question.options[0], exact=True).check()
        case "checkboxes":
            for answer in question.answers:
                page.get_by_role("checkbox", name=answer, exact=True).check()
        case "sortable":
            for place, answer in enumerate(question.answers):
                text = re.compile(f"^{re.escape(answer)}$")
                label = page.locator(".sort-text", has_text=text)
                item = page.locator(".sort-item").filter(has=label)
                while item.locator(".place").inner_text() != str(place + 1):
                    item.get_by_role("button", name=re.compile("up, to")).click()


# --------------------------------------------------------------------------- what they see


def asked_in(view: Any) -> list[str]:
    """The questions whose right answers a view shows."""
    context = view["context"]
    entries = [context.get("recap"), *context.get("review", ())]
    return [entry["id"] for entry in entries if entry]


def lists(value: Any) -> Iterator[list[Any]]:
    """All lists that lie in a value."""
    if isinstance(value, list):
        yield value
    for part in value.values() if isinstance(value, dict) else value:
        if isinstance(part, dict | list):
            yield from lists(part)


def told_to(person: Screen, questions: set[str]) -> bool:
    """Whether the last view that came shows the right answers of all of these."""
    *_, (_, view) = person.views()
    return set(asked_in(view)) == questions


def check_secrets(person: Screen) -> set[str]:
    """No frame told a right answer before its recap, nor a question before its time. The questions
    whose answers were told in the end."""
    told: set[str] = set()
    shown: set[str] = set()
    for frame, view in person.views():
        if view is None:
            continue
        told.update(asked_in(view))
        if question := view["context"].get("question"):
            shown.add(question["id"])
        context = dict(view["context"])
        mine = (context.pop("answer", None) or {}).get("value")
        others = list(lists(context))
        for question in QUESTIONS.values():
            if question.id in told:
                continue
            if question.id not in shown:
                assert json.dumps(question.prompt, ensure_ascii=False) not in frame, question.id
            if question.type == "text" and question.id in shown:
                for answer in question.answers:
                    assert json.dumps(answer, ensure_ascii=False) not in frame, question.id
            right = list(question.answers)
            if question.type == "text" or not right:
                continue
            assert right not in others, question.id
            if len(right) > 1 and right != mine:  # a patch of one's own list may be a list of one
                order = json.dumps(right, ensure_ascii=False)
                assert order.replace(", ", ",") not in frame.replace(", ", ","), question.id
        if not told:
            assert '"answers"' not in frame
    return told


def test_two_players_play_a_whole_game_and_one_reloads(server: Server, browser: Browser) -> None:
    ann, link = create(server, browser, "Ann")
    bob = join(link, browser, "Bob")
    shorten(ann.page, 2, 2)
    for person in (ann, bob):
        button(person.page, "I'm ready").click()

    played = []
    for number in range(4):
        question = asked(ann.page)
        played.append(question.id)
        assert asked(bob.page) == question
        enter(ann.page, question)
        button(bob.page, "No idea|Confirm").click()
        expect(button(bob.page, "Change my answer")).to_be_visible()
        expect(ann.page.locator(".bar-text")).to_have_text("1 of 2 confirmed")
        if number == 1:
            bob.page.reload()
            expect(button(bob.page, "Change my answer")).to_be_visible()
        button(ann.page, "^Confirm$").click()
        for person in (ann, bob):
            over(person.page, question)
        if number % 2:
            for place in range(2):
                for person in (ann, bob):
                    expect(person.page.locator(".recap")).to_contain_text(f"{place + 1} of 2")
                    expect(person.page.locator(".result")).to_have_count(2)
                button(ann.page, "Next answer|Next category|To the ranking").click()

    points = sum(QUESTIONS[id].points for id in played)
    for person in (ann, bob):
        expect(person.page.locator(".winners")).to_have_text("Ann wins!")
        expect(person.page.locator(".rank")).to_have_count(2)
        assert person.page.locator(".rank-score").first.inner_text() == f"{points:,}"
        assert person.faults == []
        seen = partial(told_to, person, set(played))
        person.until("the frame with the review has come, too", seen)
        assert check_secrets(person) == set(played)

    button(bob.page, "Play again").click()
    for person in (ann, bob):
        expect(button(person.page, "I'm ready")).to_be_visible()
        expect(person.page.locator(".player")).to_have_count(2)


def test_a_killed_server_comes_back_in_the_middle_of_a_question(
    mortal: Server, browser: Browser
) -> None:  # rules 14 and 16
    ann, link = create(mortal, browser, "Ann")
    bob = join(link, browser, "Bob")
    for person in (ann, bob):
        button(person.page, "I'm ready").click()
    question = asked(bob.page)
    enter(ann.page, question)
    button(ann.page, "^Confirm$|No idea").click()
    expect(bob.page.locator(".bar-text")).to_have_text("1 of 2 confirmed")
    due = ann.page.locator(".question .ring").get_attribute("data-due")

    mortal.kill()
    expect(ann.page.locator(".banner")).to_be_visible()
    enter(bob.page, question)  # while nobody hears it
    mortal.start()

    expect(ann.page.locator(".banner")).to_have_count(0)
    expect(bob.page.locator(".banner")).to_have_count(0)
    for person in (ann, bob):
        assert asked(person.page) == question
        assert person.page.locator(".question .ring").get_attribute("data-due") == due
    expect(button(ann.page, "Change my answer")).to_be_visible()
    button(bob.page, "^Confirm$").click()
    for person in (ann, bob):
        over(person.page, question)
        assert person.faults == []


def due_of(page: Page) -> int:
    """When the question's time is up, by the server's clock (ms)."""
    return int(page.locator(".question .ring").get_attribute("data-due") or 0)


def now(page: Page) -> float:
    """What has passed in a page, by a clock that goes on evenly (ms)."""
    passed: float = page.evaluate("performance.now()")
    return passed


def test_what_is_typed_outlives_a_pause(server: Server, browser: Browser) -> None:  # rule 10
    ann, link = create(server, browser, "Ann")
    bob = join(link, browser, "Bob")
    for person in (ann, bob):
        button(person.page, "I'm ready").click()
    question = asked(ann.page)
    enter(ann.page, question)
    due = due_of(ann.page)
    begun = now(ann.page)
    button(bob.page, "Pause").click()
    dialog = ann.page.get_by_role("dialog", name="Paused")
    expect(dialog).to_be_visible()
    paused = now(ann.page)
    [stands] = re.findall(r"(\d+) second", dialog.locator("p").first.inner_text())
    ann.page.wait_for_function("paused => performance.now() > paused + 1000", arg=paused)
    resumed = now(ann.page)
    for person in (bob, ann):
        button(person.page, "Go on").click()
    expect(dialog).to_have_count(0)
    stood = due_of(ann.page) - due  # as long as the pause was, which we saw from both sides
    assert resumed - paused <= stood <= now(ann.page) - begun
    assert int(ann.page.locator(".question .ring-number").inner_text()) <= int(stands)
    focused = ann.page.locator(".question :focus")
    expect(focused, f"for {question.id}").to_have_count(1)  # where she was, rule 18
    button(ann.page, "^Confirm$").click()
    expect(button(ann.page, "Change my answer")).to_be_visible()


def test_a_link_to_a_room_that_nobody_made(server: Server, browser: Browser) -> None:  # rule 4
    lost = screen(browser, "Eve")
    lost.page.goto(f"{server.url}/play/never-made")
    expect(lost.page.get_by_role("heading", name="There is no such room")).to_be_visible()
    lost.page.reload()
    expect(lost.page.get_by_role("heading", name="There is no such room")).to_be_visible()
    button(lost.page, "To the home page").click()
    expect(button(lost.page, "Create room")).to_be_visible()


BOXES = """[".columns", ".card"].map((place) =>
    document.querySelector(place).getBoundingClientRect().toJSON())"""


def test_an_onlooker_sees_and_can_do_nothing(server: Server, browser: Browser) -> None:  # rule 12
    ann, link = create(server, browser, "Ann")
    eve = screen(browser, "Eve", viewport={"width": 1280, "height": 800})
    eve.page.goto(f"{link}?watch")
    expect(eve.page.locator(".player-name")).to_contain_text("Ann")
    expect(eve.page.locator("main").get_by_role("button")).to_have_count(0)
    columns, players = eve.page.evaluate(BOXES)
    assert columns == players, "nothing is beside the players, for nothing is there"
    button(ann.page, "I'm ready").click()
    question = asked(eve.page)
    enter(ann.page, question)
    assert eve.page.locator(".bar button").count() == 0
    button(ann.page, "^Confirm$|No idea").click()
    over(eve.page, question)
    check_secrets(eve)


def test_a_seat_moves_to_another_device(server: Server, browser: Browser) -> None:  # rule 11
    ann, link = create(server, browser, "Ann")
    ann.page.get_by_text("Go on with another device").click()
    button(ann.page, "Show a code").click()
    code = ann.page.locator(".code").inner_text()
    tablet = screen(browser, "Ann's tablet")
    tablet.page.goto(link)
    tablet.page.get_by_text("I was playing on another device").click()
    tablet.page.get_by_label("The code that device shows").fill(code)
    button(tablet.page, "Take my seat").click()
    expect(button(tablet.page, "I'm ready")).to_be_visible()
    expect(tablet.page.locator(".player.own .player-name")).to_contain_text("Ann")
    expect(button(ann.page, "^Join$")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_is_wider_than_the_screen(
    server: Server, browser: Browser, width: int, scheme: str
) -> None:  # rule 18
    ann = screen(browser, "Ann", viewport={"width": width, "height": 800}, color_scheme=scheme)
    ann.page.goto(server.url)
    widest = "document.documentElement.scrollWidth"
    assert ann.page.evaluate(widest) <= width
    button(ann.page, "Create room").click()
    expect(ann.page.get_by_role("heading", name="Invite")).to_be_visible()
    assert ann.page.evaluate(widest) <= width
    unnamed = ann.page.evaluate(
        "[...document.querySelectorAll('button, input, select')].filter((node) =>"
        " !(node.textContent || node.ariaLabel || node.labels?.length)).length"
    )
    assert unnamed == 0


def test_typing_goes_on_while_others_act(server: Server, browser: Browser) -> None:  # rule 18
    ann, link = create(server, browser, "Ann")
    bob = join(link, browser, "Bob")
    name = ann.page.get_by_label("Your name")
    name.fill("Anabel")
    name.press("ArrowLeft")
    name.press("ArrowLeft")
    button(bob.page, "I'm ready").click()
    expect(ann.page.locator(".bar-text")).to_have_text("1 of 2 ready")
    ann.page.keyboard.type("x")
    expect(name).to_have_value("Anabxel")
    expect(name).to_be_focused()
    ann.page.keyboard.press("Enter")
    expect(bob.page.locator(".player-name").first).to_contain_text("Anabxel")


def test_a_list_is_put_in_order_by_dragging(server: Server, browser: Browser) -> None:  # rule 18
    ann, _ = create(server, browser, "Ann")
    shorten(ann.page, 10, 12)
    button(ann.page, "I'm ready").click()
    while (question := asked(ann.page)).type != "sortable":
        button(ann.page, "No idea|^Confirm$").click()
        over(ann.page, question)
        while ann.page.locator(".recap").count():
            following = button(ann.page, "Next answer|Next category")
            if following.count():
                following.click()
    items = ann.page.locator(".sort-text")
    before = items.all_inner_texts()
    ann.page.locator(".grip").first.hover()  # when the question has come to rest
    grip = ann.page.locator(".grip").first.bounding_box()
    last = ann.page.locator(".sort-item").last.bounding_box()
    assert grip
    assert last
    ann.page.mouse.move(grip["x"] + 10, grip["y"] + 20)
    ann.page.mouse.down()
    ann.page.mouse.move(grip["x"] + 10, last["y"] + last["height"], steps=8)
    ann.page.mouse.up()
    expect(items).to_have_text([*before[1:], before[0]])
    ann.page.reload()  # the room heard of it
    expect(items).to_have_text([*before[1:], before[0]])
    assert ann.faults == []


@pytest.mark.parametrize("length", [14, 26, 42, 62, 84, 106])
def test_the_qr_code_is_one(server: Server, browser: Browser, length: int) -> None:  # rule 4
    """Module by module what another encoder draws, for texts that fill each version exactly."""
    page = screen(browser, "Ann").page
    page.goto(server.url)
    text = ("https://example.org/play/" + "sunny-otter-" * 9)[:length]
    drawn = page.evaluate("async (text) => (await import('/qr.js')).qr(text)", text)
    others = [
        segno.make(text, error="m", mode="byte", mask=mask, micro=False, boost_error=False).matrix
        for mask in range(8)
    ]
    assert any([list(map(bool, row)) for row in other] == drawn for other in others)


def test_a_link_too_long_for_the_qr_code_has_none(server: Server, browser: Browser) -> None:
    page = screen(browser, "Ann").page
    page.goto(server.url)
    assert page.evaluate("async (text) => (await import('/qr.js')).qr(text)", "x" * 107) is None


# --------------------------------------------------------------------------- its author


def test_the_drawer_shows_the_machine_and_what_others_see(  # rule 19
    server: Server, browser: Browser
) -> None:
    ann, link = create(server, browser, "Ann")
    join(link, browser, "Ben")
    expect(ann.page.get_by_text("Ben").first).to_be_visible()
    ann.page.keyboard.press("`")
    drawer = ann.page.get_by_label("For developers")
    expect(drawer.locator(".lit > b")).to_have_text(["lobby", "waiting"])
    expect(drawer.get_by_text("revision")).to_be_visible()
    own = json.loads(drawer.locator("pre").inner_text())
    whose = drawer.get_by_label("View as")
    whose.select_option("all")
    expect(drawer.locator("pre")).to_contain_text('"codes"')
    whole = json.loads(drawer.locator("pre").inner_text())
    assert "codes" not in own["context"]
    assert set(whole["context"]["players"]) == set(own["context"]["players"])
    whose.select_option("onlooker")
    expect(drawer.locator("pre")).not_to_contain_text('"codes"')
    expect(drawer.locator("pre")).to_contain_text('"players"')
    assert json.loads(drawer.locator("pre").inner_text())["context"].get("me") is None
    whose.select_option("")
    expect(drawer.locator("pre")).to_contain_text(own["context"]["me"])


def test_a_server_that_is_played_on_tells_its_secrets_to_nobody(  # rule 19
    browser: Browser, tmp_path: Path
) -> None:
    with running("examples/trivia", tmp_path) as serving:
        ann, _ = create(serving, browser, "Ann")
        ann.page.keyboard.press("`")
        drawer = ann.page.get_by_label("For developers")
        expect(drawer.locator("pre")).to_contain_text("Ann")
        said = ann.page.evaluate("fetch('/rooms/-/token').then((answer) => answer.status)")
        assert said == 401
        expect(drawer.get_by_label("View as")).to_have_count(0)
