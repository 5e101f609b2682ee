import pytest

from latentloop.studio.opening import plain_name


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("../../etc/passwd.png", "passwd.png"),
        ("my face.JPG", "my_face.jpg"),
        (".png", "png"),
        ("a" * 300 + ".png", "a" * 60 + ".png"),
        ("...", "photo"),
        ("x.p\n/ng", "ng"),
        ("Ünïcode.webp", "Ünïcode.webp"),
    ],
)
def test_names_of_uploads_are_made_safe(name: str, plain: str) -> None:
    assert plain_name(name) == plain
