"""An SMTP server that writes what arrives as one line of JSON a mail, as another library understands it."""
import asyncio
import email
import email.policy
import json
import sys

from aiosmtpd.controller import Controller


RECORDS = json.loads(sys.argv[2]) or {}


def signed(content):
    import dkim  # only where mails are signed
    return dkim.verify(content, dnsfunc=lambda name, timeout=5: RECORDS.get(name.decode(), "").encode())


def changed(content):
    yield content.replace(b"\r\nMessage-ID: <", b"\r\nMessage-ID: <x")
    yield content.replace(b"\r\nTo: ", b"\r\nTo: x")
    yield content + b"more\r\n"


class Sink:
    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        parts = [part for part in mail.walk() if not part.is_multipart()]
        print(json.dumps({
            "from": envelope.mail_from, "rcpt": envelope.rcpt_tos, "headers": sorted(mail.keys()),
            "subject": mail["subject"], "to": mail["to"], "id": mail["message-id"],
            "text": parts[0].get_content(), "parts": [part.get_content_type() for part in parts],
            "bare": b"\n" in envelope.content.replace(b"\r\n", b"") or b"\r" in envelope.content.replace(b"\r\n", b""),
            "dkim": bool(RECORDS) and signed(envelope.content),
            "changed": bool(RECORDS) and any(map(signed, changed(envelope.content))),
            "longest": max(len(line) for line in envelope.content.split(b"\r\n")),
        }), flush=True)
        return "250 taken"


controller = Controller(Sink(), hostname="127.0.0.1", port=int(sys.argv[1]), enable_SMTPUTF8=True)
controller.start()
print("ready", flush=True)
sys.stdin.read()
controller.stop()
