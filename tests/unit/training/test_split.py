"""Which picture is trained on, chosen by, and only measured."""

from training.split import HELD_CLIPS, split_of, split_of_crop


def test_whole_clips_are_held_and_never_half_of_one() -> None:
    for clip in HELD_CLIPS:
        assert {split_of({"clip": clip, "group": f"romania-{i}"}) for i in range(50)} == {"held"}
    others = {split_of({"clip": "dayride_type1_001", "group": f"romania-{i}"}) for i in range(50)}
    assert others == {"train"}


def test_near_duplicates_stay_together_and_about_a_tenth_chooses() -> None:
    parts = [split_of({"group": f"openlpr-{i}"}) for i in range(2000)]
    assert split_of({"group": "openlpr-7", "file": "a"}) == split_of(
        {"group": "openlpr-7", "file": "b"}
    )
    assert 0.07 < parts.count("validation") / 2000 < 0.13
    assert parts.count("held") == 0


def test_a_fifth_of_the_chinese_crops_is_held() -> None:
    parts = [split_of_crop(f"china/{i:05}.jpg") for i in range(2000)]
    assert 0.16 < parts.count("held") / 2000 < 0.24
    assert set(parts) == {"held", "train"}
