"""An SMTP server that keeps nothing: it tells what it was sent, one JSON object a line, on standard output.

The first line is its port. What it answers stands before the @ of a recipient: `code-450-rcpt` is refused at RCPT with
450, `code-554-data` after the message, `hang` is not answered. With `--moods` each line on standard input is how it
treats all of them from then on: `550` or `550 5.7.1` at RCPT, `530 5.7.0 mail` at MAIL, `554 data` or `554 5.7.1 data`
after the message, nothing: as above. It repeats the line.
"""

import argparse
import asyncio
import base64
import json
import re
import ssl
import sys
import threading

from aiosmtpd.smtp import SMTP, AuthResult

CODE = re.compile(r"code-(\d{3})-(rcpt|data)@")


def say(**what):
    print(json.dumps(what), flush=True)


class Handler:
    mood = ""

    def follow(self, moods):
        for line in moods:
            self.mood = line.strip()
            say(mood=self.mood)

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        return responses

    def refusal(self, stage, status):
        """What the mood refuses a stage with: the code, and the status that it names or this one."""
        words = self.mood.split()
        at = words.pop() if words and words[-1].isalpha() else "rcpt"
        if not words or at != stage:
            return None
        return f"{words[0]} {words[1] if len(words) > 1 else status} said the sink of"

    async def handle_MAIL(self, server, session, envelope, address, options):
        if refusal := self.refusal("mail", "5.1.8"):
            return f"{refusal} {address}"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("hang@"):
            await asyncio.Event().wait()
        if refusal := self.refusal("rcpt", "5.1.1"):
            return f"{refusal} {address}"
        found = CODE.match(address)
        if found and found[2] == "rcpt":
            return f"{found[1]} 5.1.1 said the sink of {address}"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if refusal := self.refusal("data", "5.6.0"):
            return f"{refusal} the message"
        for address in envelope.rcpt_tos:
            found = CODE.match(address)
            if found:
                return f"{found[1]} 5.6.0 said the sink of the message"
        say(
            greeting=session.host_name,
            sender=envelope.mail_from,
            recipients=envelope.rcpt_tos,
            utf8=bool(envelope.smtp_utf8),
            user=getattr(session.auth_data, "login", b"").decode(),
            tls=session.ssl is not None or server.transport.get_extra_info("ssl_object") is not None,
            connection=id(session),
            message=base64.b64encode(envelope.original_content).decode(),
        )
        return f"250 2.0.0 kept as sink-1 for <{envelope.rcpt_tos[0]}>"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tls", choices=["none", "starttls", "implicit"], default="none")
    parser.add_argument("--pair", nargs=2, metavar=("CERTIFICATE", "KEY"))
    parser.add_argument("--login", nargs=2, metavar=("USER", "PASSWORD"))
    parser.add_argument("--smtputf8", action="store_true")
    parser.add_argument("--moods", action="store_true")
    said = parser.parse_args()

    context = None
    if said.pair:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*said.pair)

    def authenticate(server, session, envelope, mechanism, data):
        good = said.login and [data.login.decode(), data.password.decode()] == said.login
        return AuthResult(success=bool(good), handled=False, auth_data=data)

    handler = Handler()

    async def serve():
        loop = asyncio.get_running_loop()

        def protocol():
            return SMTP(
                handler,
                hostname="sink.example",
                enable_SMTPUTF8=said.smtputf8,
                tls_context=context if said.tls == "starttls" else None,
                require_starttls=said.tls == "starttls",
                authenticator=authenticate,
                auth_required=bool(said.login),
                # It does not know that a connection was encrypted from its first byte.
                auth_require_tls=said.tls == "starttls",
                loop=loop,
            )

        tls = context if said.tls == "implicit" else None
        server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=tls)
        print(server.sockets[0].getsockname()[1], flush=True)
        if said.moods:
            threading.Thread(target=handler.follow, args=(sys.stdin,), daemon=True).start()
        await server.serve_forever()

    asyncio.run(serve())


main()
