"""An RTSP camera at rtsp://127.0.0.1:PORT/live: GStreamer's server with its test picture, as motion JPEG.

Run by the system's own Python, which has Debian's python3-gi: python3 rtsp_child.py PORT [USER PASSWORD]
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
if len(sys.argv) > 2:
    role = "person"
    permissions = GstRtspServer.RTSPPermissions.new()
    permissions.add_role(role)
    for right in ("media.factory.access", "media.factory.construct"):
        permissions.add_permission_for_role(role, right, True)  # noqa: FBT003 - GStreamer names no argument
    factory.set_permissions(permissions)
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", role)
    auth = GstRtspServer.RTSPAuth.new()
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(*sys.argv[2:4]), token)
    server.set_auth(auth)
server.get_mount_points().add_factory("/live", factory)
server.attach(None)
GLib.MainLoop().run()
