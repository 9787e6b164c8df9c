"""Write the series of the tests: a count every ten seconds for ten minutes, by target, kind and age."""
import os
import time

import whisper

now = int(time.time())
# Counts of successes and errors: in the last two minutes, and before.
feeds = {"good": ((95, 5), (95, 5)), "bad": ((40, 60), (40, 60)), "mended": ((95, 5), (10, 90))}
for target, (fresh, old) in feeds.items():
    for kind, at in (("SUCCESS", 0), ("ERROR", 1)):
        folder = os.path.join(os.environ["AVIARY_GRAPHITE"], "whisper/stats/app", target, kind)
        os.makedirs(folder)
        path = os.path.join(folder, "count.wsp")
        whisper.create(path, [(10, 360)])
        ages = range(0, 600, 10)
        whisper.update_many(path, [(now - age, (fresh if age < 120 else old)[at]) for age in ages])
