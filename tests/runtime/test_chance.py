"""The generator behind `args.random`."""

from __future__ import annotations

from runtime.chance import SeededRandom


def test_the_same_seed_gives_the_same_run() -> None:
    one, same, other = SeededRandom(7), SeededRandom(7), SeededRandom(8)
    assert [one.random() for _ in range(5)] == [same.random() for _ in range(5)]
    assert one.random() != other.random()


def test_its_state_is_one_number_to_go_on_from() -> None:
    first = SeededRandom(1)
    first.shuffle(list(range(50)))
    second = SeededRandom(first.state)
    assert [first.randrange(100) for _ in range(5)] == [second.randrange(100) for _ in range(5)]


def test_it_is_the_published_splitmix64() -> None:
    # the first outputs for the seed 1234567, as in the reference implementation
    generator = SeededRandom(1234567)
    assert [generator.getrandbits(64) for _ in range(3)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


def test_everything_of_python_works_on_it() -> None:
    generator = SeededRandom(3)
    assert all(0 <= generator.random() < 1 for _ in range(1000))
    assert 0.4 < sum(generator.random() for _ in range(4000)) / 4000 < 0.6
    assert sorted(generator.sample(range(10), 10)) == list(range(10))
    assert generator.choice(["a"]) == "a"
    assert generator.getrandbits(200).bit_length() > 150
    assert generator.getrandbits(0) == 0
    generator.gauss(0, 1)
    generator.seed(3)
    again = SeededRandom(3)
    assert generator.random() == again.random()
