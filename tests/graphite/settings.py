"""Graphite's settings for the tests: everything below the folder that the environment names."""
import os

from graphite.settings import *  # noqa: F403

here = os.environ["AVIARY_GRAPHITE"]
STORAGE_DIR = CONTENT_DIR = CONF_DIR = LOG_DIR = here
WHISPER_DIR = os.path.join(here, "whisper")
STANDARD_DIRS = [WHISPER_DIR]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.path.join(here, "db")}}
INDEX_FILE = os.path.join(here, "index")
LOG_FILE_INFO = LOG_FILE_EXCEPTION = LOG_FILE_CACHE = LOG_FILE_RENDERING = "-"
SECRET_KEY = "of a test"
ALLOWED_HOSTS = ["*"]
CARBONLINK_HOSTS = []
TIME_ZONE = "UTC"
