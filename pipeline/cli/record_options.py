"""Options of the commands that call Agora's service."""

import click

from pipeline.cli import options

request = click.option(
    "--request", metavar="FILE", help="The body of the request, JSON or TOML; - is JSON on stdin."
)
channel = options.all_of(
    click.option("--channel", "--cname", "channel", metavar="NAME", help="The channel."),
    click.option("--uid", metavar="UID", help="The uid of the recorder in the channel."),
)
session = options.all_of(
    channel, click.option("--sid", metavar="SID", help="Its sid, if it is not known here.")
)
background = click.option(
    "--background", is_flag=True, help="Do not wait until the files are uploaded."
)
handover = options.all_of(
    click.option(
        "--wait", is_flag=True, help="Wait until everything is in the bucket, then convert it."
    ),
    click.option(
        "--to", metavar="DEST", help="With --wait, where the result goes; as convert's --output."
    ),
    click.option(
        "--from",
        metavar="STORE",
        help="With --wait, where the bucket is reached: s3://bucket/, a folder.  [default: its "
        "[storage.NAME]]",
    ),
    options.settle,
    options.late_deadline,
    options.format,
    options.on_loss,
    options.on_change,
    options.max_length,
    options.sparse_sound,
    options.deep,
    options.ffmpeg,
    options.spool,
    options.store,
)
subscriptions = options.all_of(
    click.option(
        "--subscribe-audio",
        metavar="UID",
        multiple=True,
        help="Record the sound of these users only; can be repeated.",
    ),
    click.option(
        "--subscribe-video",
        metavar="UID",
        multiple=True,
        help="Record the pictures of these users only; can be repeated.",
    ),
)
arrangement = click.option(
    "--mixed-video-layout",
    type=int,
    metavar="N",
    help="0 floating, 1 best fit, 2 vertical, 3 custom.",
)
storage = click.option(
    "--storage", metavar="NAME", help="The bucket and its keys: [storage.NAME] of the settings."
)
recording = options.all_of(
    click.option(
        "--mode",
        type=click.Choice(["mix", "individual", "raw", "web"]),
        default="mix",
        show_default=True,
        help="All users in one picture, each alone (individual or raw), or a web page.",
    ),
    click.option("--token-file", metavar="FILE", help="A file with the RTC token for the uid."),
    options.stream_types,
    storage,
    click.option("--channel-type", type=int, metavar="N", help="0 communication, 1 live."),
    click.option("--max-idle-time", type=int, metavar="SECONDS", help="End after this long alone."),
    click.option("--width", type=int, metavar="PIXELS", help="Width of the picture."),
    click.option("--height", type=int, metavar="PIXELS", help="Height of the picture."),
    click.option("--fps", type=int, metavar="N", help="Pictures per second."),
    click.option("--bitrate", type=int, metavar="KBPS", help="Bit rate of the pictures."),
    arrangement,
    subscriptions,
    click.option("--prefix", metavar="A/B", help="Folders in the bucket, letters and digits."),
)
state = click.option(
    "--state",
    metavar="DIR",
    help="Where started recordings are remembered.  [default: ~/.local/state/recpipe]",
)
agora = options.all_of(
    options.account,
    click.option(
        "--api-url",
        metavar="URL",
        multiple=True,
        help="A host of the service; repeat it for the next one to try.",
    ),
    state,
)
calls = options.all_of(
    options.dry_run, options.as_json, agora, options.general
)  # what every call of the service has
