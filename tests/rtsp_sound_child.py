"""An RTSP camera with sound at rtsp://127.0.0.1:PORT/live: GStreamer's server with a Matroska file of H.264 and PCM.

Run by the system's own Python, which has Debian's python3-gi: python3 rtsp_sound_child.py PORT FILE. Sound is G.711.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

Gst.init(None)
server = GstRtspServer.RTSPServer.new()
server.set_address("127.0.0.1")
server.set_service(sys.argv[1])
factory = GstRtspServer.RTSPMediaFactory.new()
picture = "file.video_0 ! queue ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=1"
sound = "file.audio_0 ! queue ! audioconvert ! audioresample ! audio/x-raw,rate=8000,channels=1 ! mulawenc"
factory.set_launch(
    f"( filesrc location={sys.argv[2]} ! matroskademux name=file {picture} {sound} ! rtppcmupay name=pay1 pt=0 )"
)
server.get_mount_points().add_factory("/live", factory)
server.attach(None)
GLib.MainLoop().run()
