"""An RTSP camera at rtsp://127.0.0.1:PORT/live: GStreamer's server with its test picture, as motion JPEG.

Run by the system's own Python, which has Debian's python3-gi: python3 rtsp_child.py PORT
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
caps = "video/x-raw,format=I420,width=160,height=120,framerate=25/1"
factory.set_launch(f"( videotestsrc is-live=1 pattern=ball ! {caps} ! jpegenc ! rtpjpegpay name=pay0 pt=26 )")
server.get_mount_points().add_factory("/live", factory)
server.attach(None)
GLib.MainLoop().run()
