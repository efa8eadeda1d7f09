"""Figures in words: the same in the report and on the contact sheet."""

from streamer.frame import Detections
from streamer.inspection.findings import SURE_FROM, Looked, Trial
from streamer.labels import Labels


def size_words(size_bytes: int) -> str:
    """`22.3 MB`, `57 kB`."""
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:.0f} kB"


def share_words(share: float) -> str:
    """A score or a sureness from 0 to 1 as people write it: `.93`, `1.00`."""
    return f"{share:.2f}".removeprefix("0")


def count_words(count: int) -> str:
    """`1 box`, `3 boxes`."""
    return f"{count} box{'' if count == 1 else 'es'}"


def sureness_words(looked: Looked) -> str:
    """`fairly sure (.83)`: of the least sure answer."""
    levels = {0.95: "sure", SURE_FROM: "fairly sure", 0.5: "likely"}
    word = next((word for least, word in levels.items() if looked.overall >= least), "a guess")
    return f"{word} ({share_words(looked.overall)})"


def verdict_words(looked: Looked) -> tuple[str, str]:
    """What is believed, in a word and in a line: `believed`, `channel order rgb, scale -1..1: sure (.97)`."""
    likeliest, sure = looked.trials[0], sureness_words(looked)
    if not looked.sureness:
        return "looked", "nothing was left to try"
    if not looked.checked:
        return ("believed" if looked.is_sure else "likeliest"), f"{likeliest.words}: {sure}"
    if likeliest.taken:
        return "checked", f"{likeliest.words}, as is usual: {sure}"
    taken = f"; what is usual holds: {looked.best.words}" if looked.best.taken else "; what is usual holds"
    return "checked", f"the pictures speak for {likeliest.words}: {sure}{taken}"


def trial_words(trial: Trial, labels: Labels) -> str:
    """What was seen on all pictures: `3 boxes, best person .98`."""
    found = [detections for detections in trial.detections if len(detections)]
    count = count_words(sum(map(len, found)))
    if not found:
        return count
    best: Detections = max(found, key=lambda detections: float(detections.scores[0]))
    return f"{count}, best {labels.name(int(best.class_ids[0]))} {share_words(float(best.scores[0]))}"
