"""Every setting, where its value comes from, and what is wrong with it. Called by the command line only."""

from streamer.config.fields import SettingField, setting_fields
from streamer.config.layers import Origin, Resolved, resolve
from streamer.config.settings import Setting, Settings

__all__ = ["Origin", "Resolved", "Setting", "SettingField", "Settings", "resolve", "setting_fields"]
