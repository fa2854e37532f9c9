from featprune.progress import listening, progress_bar, tell


def test_nobody_listens_by_default():
    tell("work", 1, 2)


def test_a_listener_hears_what_is_told_inside_the_block():
    heard = []
    with listening(lambda *told: heard.append(told)):
        tell("work", 1, 2)
        with listening(None):
            tell("work", 2, 2)
    tell("work", 3, 3)
    assert heard == [("work", 1, 2), ("work", 2, 2)]


def test_a_bar_does_not_take_over_from_a_listener(capsys):
    heard = []
    with listening(lambda *told: heard.append(told)), progress_bar():
        tell("work", 1, 1)
    assert heard == [("work", 1, 1)]
    assert capsys.readouterr().err == ""


def test_a_bar_names_the_work(capsys):
    with progress_bar():
        tell("counting", 3, 3)
    assert "counting" in capsys.readouterr().err
