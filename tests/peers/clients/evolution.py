"""Evolution's Exchange backends without Evolution's windows: Camel's provider for mail, evolution-data-server for calendars, address books and tasks.

Run by the system's Python, which has the typelibs, inside a D-Bus session of its own. Reads one job a line from standard input, as JSON,
plays the scenario that it names, and prints what was seen, step by step, as JSON on one line.
"""

import ctypes
import json
import os
import sys
import threading
import traceback
import warnings
from pathlib import Path

import gi

for _name, _version in (("Camel", "1.2"), ("EDataServer", "1.2"), ("ECal", "2.0"), ("EBook", "1.2"), ("EBookContacts", "1.2")):
    gi.require_version(_name, _version)
warnings.simplefilter("ignore")

from gi.repository import Camel, EBook, EBookContacts, ECal, EDataServer, Gio, GLib, ICalGLib  # noqa: E402

HOME = Path(os.environ["HOME"])
URL, USER, SECRET = (os.environ[name] for name in ("EWS_URL", "EWS_USER", "EWS_SECRET"))
DEADLINE = 15
"""Seconds that a backend has to open, and an event to come."""


class FolderInfo(ctypes.Structure):
    """CamelFolderInfo, whose links introspection gives as bare addresses."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("next", "parent", "child")),
        *((name, ctypes.c_char_p) for name in ("full_name", "display_name")),
        ("flags", ctypes.c_uint32),
        *((name, ctypes.c_int32) for name in ("unread", "total")),
    )


class MailSession(Camel.Session):
    """What Evolution's own session does with a password, without asking a person."""

    __gtype_name__ = "PostroomMailSession"

    def do_get_socks_proxy(self, for_host):
        return None

    def do_get_filter_driver(self, kind, for_folder):
        return Camel.FilterDriver.new(self)

    def do_authenticate_sync(self, service, mechanism, cancellable):
        service.set_password(service.secret)
        if service.authenticate_sync(mechanism, cancellable) != Camel.AuthenticationResult.ACCEPTED:
            raise GLib.GError("rejected", "camel-service-error-quark", int(Camel.ServiceError.CANT_AUTHENTICATE))
        return True


class Client:
    """One account in Evolution's terms: a collection, its mail store and transport, and the sources that the registry found in it."""

    def __init__(self):
        Camel.init(str(HOME / "camel"), True)
        Camel.provider_init()
        self.session = MailSession(user_data_dir=str(HOME / "mail"), user_cache_dir=str(HOME / "mail-cache"))
        self.session.set_online(True)
        self.registry = EDataServer.SourceRegistry.new_sync(None)
        self.arrived = threading.Condition()
        self.refused = []
        self.registry.connect("source-added", self._added)
        self.registry.connect("credentials-required", self._asked)
        self._store = None
        self._opened = {}
        threading.Thread(target=GLib.MainLoop().run, daemon=True).start()

    def _added(self, *_):
        with self.arrived:
            self.arrived.notify_all()

    def _asked(self, _, source, reason, *details):
        """A person would be asked for the password."""
        error = details[-1].message if details[-1] is not None else ""
        with self.arrived:
            self.refused.append((reason.value_nick, error))
            self.arrived.notify_all()
            if len(self.refused) > 20:
                return
        source.invoke_authenticate(self._credentials(), None, None)

    def _credentials(self):
        given = EDataServer.NamedParameters.new()
        given.set("username", USER)
        given.set("password", SECRET)
        return given

    # -- sources

    def discover(self):
        """Let the registry log in and make a source of each folder that is not mail."""
        self.registry.ref_source("ews").invoke_authenticate_sync(self._credentials(), None)
        self.source("Calendar"), self.source("Contacts"), self.source("Tasks")

    def source(self, name):
        def found():
            return next(
                (one for one in self.registry.list_sources(None) if self._ours(one) and one.get_display_name() == name), None
            )

        with self.arrived:
            if not self.arrived.wait_for(lambda: found() is not None, DEADLINE):
                raise TimeoutError(f"no source {name!r}; asked for credentials: {self.refused[:3]}")
        return found()

    def _ours(self, source):
        return source.get_parent() == "ews"

    def names(self):
        return sorted(one.get_display_name() for one in self.registry.list_sources(None) if self._ours(one))

    def calendar(self, name="Calendar", kind=ECal.ClientSourceType.EVENTS):
        if name not in self._opened:
            self._opened[name] = ECal.Client.connect_sync(self.source(name), kind, DEADLINE, None)
        return self._opened[name]

    def tasks(self):
        return self.calendar("Tasks", ECal.ClientSourceType.TASKS)

    def book(self, name="Contacts"):
        if name not in self._opened:
            self._opened[name] = EBook.BookClient.connect_sync(self.source(name), DEADLINE, None)
        return self._opened[name]

    # -- mail

    def service(self, uid, kind, secret=SECRET, **more):
        service = self.session.add_service(uid, "ews", kind)
        settings = service.get_property("settings")
        for name, value in {
            "hosturl": URL,
            "host": "127.0.0.1",
            "email": USER,
            "user": USER,
            "auth-mechanism": "PLAIN",
            **more,
        }.items():
            settings.set_property(name.replace("_", "-"), value)
        service.secret = secret
        return service

    @property
    def store(self):
        if self._store is None:
            self._store = self.service("ews-mail", Camel.ProviderType.STORE)
            self._store.connect_sync(None)
        return self._store

    def folder(self, name):
        folder = self.store.get_folder_sync(name, 0, None)
        folder.refresh_info_sync(None)
        return folder

    def folders(self):
        """Full name to how many messages, and how many unread. REFRESH would ask the server once a minute; without it every time."""
        first = self.store.get_folder_info_sync(None, Camel.StoreGetFolderInfoFlags.RECURSIVE, None)
        found = {first.full_name: [first.total, first.unread]}
        addresses = [first.child, first.next]
        while addresses:
            if address := addresses.pop():
                info = FolderInfo.from_address(address)
                found[info.full_name.decode()] = [info.total, info.unread]
                addresses += [info.child, info.next]
        return found


def message(octets):
    made = Camel.MimeMessage.new()
    made.construct_from_input_stream_sync(Gio.MemoryInputStream.new_from_bytes(GLib.Bytes.new(octets.encode("latin-1"))), None)
    return made


def address(text):
    made = Camel.InternetAddress.new()
    made.add("", text)
    return made


def subjects(folder):
    """Subject to uid."""
    folder.refresh_info_sync(None)
    return {folder.get_message_info(uid).get_subject(): uid for uid in folder.get_uids()}


SEEN, FLAGGED, ANSWERED, DELETED = (getattr(Camel.MessageFlags, name) for name in ("SEEN", "FLAGGED", "ANSWERED", "DELETED"))


def mark(folder, uid, *, on=0, off=0):
    folder.set_message_flags(uid, on | off, on)
    folder.synchronize_sync(False, None)


def eventually(look, good):
    """What is seen once it is good, or at the deadline: the backends refresh what they know in threads of their own."""
    seen = look()
    for _ in range(DEADLINE * 10):
        if good(seen):
            break
        threading.Event().wait(0.1)
        seen = look()
    return seen


# -- scenarios: each is given the client and the job, and gives what it saw


def mail_login(client, job):
    service = client.service("refused", Camel.ProviderType.STORE, secret="guess", user=job["user"])
    try:
        service.connect_sync(None)
    except GLib.GError as error:
        return {"refused": error.message}
    return {"refused": None}


def mail_folders(client, job):
    def named(*starts, count):
        return eventually(
            lambda: sorted(name for name in client.folders() if name.startswith(starts)), lambda found: len(found) == count
        )

    store = client.store
    seen = {"found": sorted(client.folders())}
    store.create_folder_sync(None, "Orders", None)
    store.create_folder_sync("Orders", "2026", None)
    try:
        store.create_folder_sync(None, "Orders", None)
        seen["twice"] = "made"
    except GLib.GError as error:
        seen["twice"] = error.message
    seen["made"] = named("Orders", count=2)
    store.rename_folder_sync("Orders", "Bills", None)
    seen["renamed"] = named("Orders", "Bills", count=2)
    store.rename_folder_sync("Bills/2026", "2026", None)
    seen["moved"] = eventually(lambda: named("2026", "Bills", count=2), lambda found: "2026" in found)
    store.delete_folder_sync("Bills", None)
    store.delete_folder_sync("2026", None)
    seen["left"] = named("2026", "Bills", count=0)
    return seen


def mail_fetch(client, job):
    """The messages as the provider keeps them."""
    inbox = client.folder("Inbox")
    octets = {}
    for name, uid in subjects(inbox).items():
        inbox.get_message_sync(uid, None)
        octets[name] = Path(inbox.get_filename(uid)).read_bytes().decode("latin-1")
    return {"octets": octets, "counts": eventually(lambda: client.folders()["Inbox"], lambda counts: counts[0] == len(octets))}


def mail_flags(client, job):
    inbox = client.folder("Inbox")
    uid = subjects(inbox)[job["subject"]]
    info = inbox.get_message_info(uid)
    seen = {"from": info.get_from(), "to": info.get_to(), "before": int(info.get_flags() & (SEEN | FLAGGED | ANSWERED))}
    mark(inbox, uid, on=SEEN | FLAGGED | ANSWERED)
    inbox.set_message_user_flag(uid, "red", True)
    inbox.synchronize_sync(False, None)
    return seen


def mail_flags_seen(client, job):
    """What somebody else did to the message."""
    inbox = client.folder("Inbox")
    info = inbox.get_message_info(subjects(inbox)[job["subject"]])
    flags = info.get_flags()
    return {"seen": bool(flags & SEEN), "flagged": bool(flags & FLAGGED), "red": info.get_user_flag("red")}


def mail_moved(client, job):
    store, inbox = client.store, client.folder("Inbox")
    store.create_folder_sync(None, "Kept", None)
    kept = client.folder("Kept")
    uids = subjects(inbox)
    inbox.transfer_messages_to_sync([uids["alder"]], kept, True, None)
    inbox.transfer_messages_to_sync([uids["birch"]], kept, False, None)
    seen = {"inbox": sorted(subjects(inbox)), "kept": sorted(subjects(kept))}
    kept.append_message_sync(message(job["octets"]), Camel.MessageInfo.new(None), None)
    seen["appended"] = sorted(subjects(kept))
    for name in ("alder", "birch"):
        kept.set_message_flags(subjects(kept)[name], DELETED, DELETED)
    kept.synchronize_sync(True, None)
    seen["deleted"] = sorted(subjects(kept))
    seen["trash"] = sorted(subjects(client.folder("Deleted Items")))
    return seen


def mail_send(client, job):
    transport = client.service("ews-transport", Camel.ProviderType.TRANSPORT)
    transport.connect_sync(None)
    to = Camel.InternetAddress.new()
    for one in job["to"]:
        to.add("", one)
    done, saved = transport.send_to_sync(message(job["octets"]), address(USER), to, None)
    return {"done": done, "saved": saved, "sent": sorted(subjects(client.folder("Sent Items")))}


class Pointers(ctypes.Structure):
    """GPtrArray of texts."""

    _fields_ = (("at", ctypes.POINTER(ctypes.c_char_p)), ("count", ctypes.c_uint))


def searched(folder, expression):
    """Uids that match. Introspection would free what belongs to Camel's pool of texts."""
    search = ctypes.CDLL("libcamel-1.2.so.64").camel_folder_search_by_expression
    search.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p)
    search.restype = ctypes.POINTER(Pointers)
    found = search(hash(folder), expression.encode(), None, None).contents
    return [found.at[number].decode() for number in range(found.count)]


def mail_listens(client, job):
    """From here on the server says what happens in the Inbox."""
    client.store.get_property("settings").set_property("listen-notifications", True)
    return {}


def mail_count(client, job):
    return {"now": client.folder("Inbox").get_message_count()}


def mail_heard(client, job):
    """How many messages there are once there are more, without asking."""
    inbox = client.store.get_folder_sync("Inbox", 0, None)
    return {"now": eventually(inbox.get_message_count, lambda count: count > job["before"])}


def mail_search(client, job):
    inbox = client.folder("Inbox")
    uids = {uid: subject for subject, uid in subjects(inbox).items()}

    def found(expression):
        return sorted(uids[uid] for uid in searched(inbox, expression))

    return {
        "subject": found('(match-all (header-contains "subject" "cedar"))'),
        "body": found('(match-all (body-contains "alder wood"))'),
        "unread": found('(match-all (not (system-flag "Seen")))'),
    }


def sources(client, job):
    client.discover()
    return {"names": client.names()}


def components(client, query="#t"):
    _, found = client.get_object_list_sync(query, None)
    return found


def prop(component, name):
    """Every value of one property of an iCalendar component."""
    text = component.as_ical_string().replace("\r\n ", "")
    return [line.partition(":")[2] for line in text.splitlines() if line.partition(":")[0].partition(";")[0] == name]


def occurrences(calendar, job, uid):
    """Begin and summary of each occurrence in the job's window."""
    found = []

    def instance(component, begin, end, *_):
        if component.get_uid() == uid:
            found.append([begin.as_ical_string().removesuffix("Z"), component.get_summary()])
        return True

    begin, end = (ICalGLib.Time.new_from_string(job[name]).as_timet() for name in ("begin", "end"))
    calendar.generate_instances_sync(begin, end, None, instance)
    return sorted(found)


def component(text):
    return ICalGLib.Component.new_from_string(text.replace("\n", "\r\n"))


def event(client, job):
    calendar = client.calendar()
    _, uid = calendar.create_object_sync(component(job["event"]), ECal.OperationFlags.NONE, None)
    _, got = calendar.get_object_sync(uid, None, None)
    names = ("SUMMARY", "LOCATION", "DESCRIPTION", "DTSTART", "DTEND", "CLASS", "TRANSP", "CATEGORIES")
    seen = {"made": {name: prop(got, name) for name in names}, "alarm": "BEGIN:VALARM" in got.as_ical_string()}
    got.set_summary("changed")
    got.set_location("there")
    calendar.modify_object_sync(got, ECal.ObjModType.ALL, ECal.OperationFlags.NONE, None)
    _, again = calendar.get_object_sync(uid, None, None)
    seen["changed"] = [again.get_summary(), again.get_location()]
    seen["query"] = [one.get_summary() for one in components(calendar, '(contains? "summary" "changed")')]
    calendar.remove_object_sync(uid, None, ECal.ObjModType.ALL, ECal.OperationFlags.NONE, None)
    seen["left"] = [one.get_summary() for one in components(calendar, '(contains? "summary" "changed")')]
    return seen


def changed_occurrence(master, job):
    """As the editor makes it of the series: the same component with RECURRENCE-ID for RRULE."""
    text = master.as_ical_string().replace("\r\n ", "")
    kept = [line for line in text.splitlines() if not line.startswith(("RRULE", "DTSTART", "DTEND", "SUMMARY"))]
    return component("\n".join([kept[0], *job["exception"], *kept[1:], ""]))


def series(client, job):
    calendar = client.calendar()
    _, uid = calendar.create_object_sync(component(job["event"]), ECal.OperationFlags.NONE, None)
    seen = {"made": occurrences(calendar, job, uid)}
    _, master = calendar.get_object_sync(uid, None, None)
    seen["rule"] = prop(master, "RRULE")
    calendar.modify_object_sync(changed_occurrence(master, job), ECal.ObjModType.THIS, ECal.OperationFlags.NONE, None)
    seen["moved"] = occurrences(calendar, job, uid)
    calendar.remove_object_sync(uid, job["removed"], ECal.ObjModType.THIS, ECal.OperationFlags.NONE, None)
    seen["removed"] = occurrences(calendar, job, uid)
    return seen


def series_gone(client, job):
    calendar = client.calendar()
    calendar.refresh_sync(None)
    uid = next(one.get_uid() for one in components(calendar, '(contains? "summary" "weekly")'))
    calendar.remove_object_sync(uid, None, ECal.ObjModType.ALL, ECal.OperationFlags.NONE, None)
    return {"left": occurrences(calendar, job, uid)}


def whole_day(client, job):
    calendar = client.calendar()
    _, uid = calendar.create_object_sync(component(job["event"]), ECal.OperationFlags.NONE, None)
    _, got = calendar.get_object_sync(uid, None, None)
    return {"begin": prop(got, "DTSTART"), "end": prop(got, "DTEND")}


def refreshed(client, job):
    """Something that came to be on the server, or went from it."""
    calendar = client.calendar() if job["where"] == "Calendar" else client.tasks()

    def look():
        calendar.refresh_sync(None)
        return sorted(one.get_summary() for one in components(calendar))

    seen = eventually(look, lambda found: (job["summary"] in found) == job["there"])
    return {"seen": seen}


def attached(client, job):
    calendar = client.calendar()
    path = HOME / "a.txt"
    path.write_text(job["text"])
    _, uid = calendar.create_object_sync(
        component(job["event"].replace("?file", path.as_uri())), ECal.OperationFlags.NONE, None
    )
    _, uris = calendar.get_attachment_uris_sync(uid, None, None)
    return {"files": {Path(uri).name: Path(GLib.filename_from_uri(uri)[0]).read_text() for uri in uris}}


def memo(client, job):
    notes = client.calendar("Notes", ECal.ClientSourceType.MEMOS)
    _, uid = notes.create_object_sync(component(job["memo"]), ECal.OperationFlags.NONE, None)
    _, got = notes.get_object_sync(uid, None, None)
    seen = {"made": [got.get_summary(), got.get_description()]}
    notes.remove_object_sync(uid, None, ECal.ObjModType.ALL, ECal.OperationFlags.NONE, None)
    seen["left"] = len(components(notes))
    return seen


def meeting(client, job):
    calendar = client.calendar()
    _, uid = calendar.create_object_sync(component(job["event"]), ECal.OperationFlags.NONE, None)
    _, got = calendar.get_object_sync(uid, None, None)
    return {"organizer": prop(got, "ORGANIZER"), "attendees": prop(got, "ATTENDEE"), "uid": uid}


def meeting_cancelled(client, job):
    calendar = client.calendar()
    (uid,) = {one.get_uid() for one in components(calendar, f'(contains? "summary" "{job["summary"]}")')}
    calendar.remove_object_sync(uid, None, ECal.ObjModType.ALL, ECal.OperationFlags.NONE, None)
    return {"left": [one.get_summary() for one in components(calendar, f'(contains? "summary" "{job["summary"]}")')]}


def invitation(client, job):
    """Answers the request in the Inbox as Evolution's formatter does: the part's calendar, with the own status changed."""
    inbox = client.folder("Inbox")
    got = inbox.get_message_sync(subjects(inbox)[job["subject"]], None)
    part = calendar_part(got)
    text = part.decode("utf-8")
    request = component(text.replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED"))
    client.calendar().receive_objects_sync(request, ECal.OperationFlags.NONE, None)
    return {"method": [line for line in text.splitlines() if line.startswith("METHOD")], "attendees": text.count("ATTENDEE")}


def calendar_part(part):
    """The octets of the first text/calendar part."""
    content = part.get_content()
    kind = content.get_mime_type_field()
    if kind.simple() == "text/calendar":
        stream = Gio.MemoryOutputStream.new_resizable()
        content.decode_to_output_stream_sync(stream, None)
        stream.close(None)
        return stream.steal_as_bytes().get_data()
    if isinstance(content, Camel.Multipart):
        for number in range(content.get_number()):
            if (found := calendar_part(content.get_part(number))) is not None:
                return found
    return None


def free_busy(client, job):
    begin, end = (ICalGLib.Time.new_from_string(job[name]).as_timet() for name in ("begin", "end"))
    _, found = client.calendar().get_free_busy_sync(begin, end, job["who"], None)
    return {"busy": [prop(one.get_icalcomponent(), "FREEBUSY") for one in found]}


def task(client, job):
    tasks = client.tasks()
    _, uid = tasks.create_object_sync(component(job["task"]), ECal.OperationFlags.NONE, None)
    _, got = tasks.get_object_sync(uid, None, None)
    seen = {"made": {name: prop(got, name) for name in ("SUMMARY", "DUE", "DTSTART", "STATUS", "PRIORITY", "PERCENT-COMPLETE")}}
    done = got.as_ical_string().replace("STATUS:NEEDS-ACTION\r\n", "").replace("PERCENT-COMPLETE:0\r\n", "")
    done = done.replace("END:VTODO", "STATUS:COMPLETED\r\nPERCENT-COMPLETE:100\r\nCOMPLETED:20270302T090000Z\r\nEND:VTODO")
    tasks.modify_object_sync(ICalGLib.Component.new_from_string(done), ECal.ObjModType.ALL, ECal.OperationFlags.NONE, None)
    _, got = tasks.get_object_sync(uid, None, None)
    seen["done"] = {name: prop(got, name) for name in ("STATUS", "PERCENT-COMPLETE", "COMPLETED")}
    return seen


def task_gone(client, job):
    tasks = client.tasks()
    (uid,) = {one.get_uid() for one in components(tasks, f'(contains? "summary" "{job["summary"]}")')}
    tasks.remove_object_sync(uid, None, ECal.ObjModType.ALL, ECal.OperationFlags.NONE, None)
    return {"left": len(components(tasks, f'(contains? "summary" "{job["summary"]}")'))}


def contacts(book, query):
    _, found = book.get_contacts_sync(query, None)
    return sorted(one.get_property("full-name") or one.get_property("file-as") for one in found)


def contact(client, job):
    book = client.book()
    _, uid = book.add_contact_sync(
        EBookContacts.Contact.new_from_vcard(job["card"]), EBookContacts.BookOperationFlags.NONE, None
    )
    _, got = book.get_contact_sync(uid, None)
    fields = ("full-name", "given-name", "family-name", "org", "title", "email-1", "mobile-phone", "business-phone", "note")
    seen = {
        "made": {name: got.get_property(name) for name in fields},
        "card": got.to_string(getattr(EBookContacts.VCardFormat, "30")),
    }
    got.set_property("title", "Joiner")
    got.set_property("email-1", "new@cedar.test")
    book.modify_contact_sync(got, EBookContacts.BookOperationFlags.NONE, None)
    _, again = book.get_contact_sync(uid, None)
    seen["changed"] = [again.get_property("title"), again.get_property("email-1")]
    seen["query"] = [
        contacts(book, '(contains "full_name" "Cedar")'),
        contacts(book, '(is "email" "new@cedar.test")'),
        contacts(book, '(contains "full_name" "nobody")'),
    ]
    return seen


def contact_gone(client, job):
    book = client.book()
    _, found = book.get_contacts_sync('(contains "full_name" "Cedar")', None)
    for one in found:
        book.remove_contact_sync(one, EBookContacts.BookOperationFlags.NONE, None)
    return {"left": contacts(book, '(contains "full_name" "Cedar")')}


def contact_list(client, job):
    book = client.book()
    _, uid = book.add_contact_sync(
        EBookContacts.Contact.new_from_vcard(job["card"]), EBookContacts.BookOperationFlags.NONE, None
    )
    _, got = book.get_contact_sync(uid, None)
    seen = {"list": got.get_property("list"), "name": got.get_property("full-name") or got.get_property("file-as")}
    seen["members"] = sorted(
        value for one in got.get_attributes(EBookContacts.ContactField.EMAIL) for value in one.get_values()
    )
    return seen


def address_list(client, job):
    book = client.book("Global Address List")
    _, found = book.get_contacts_sync(f'(contains "x-evolution-any-field" "{job["who"]}")', None)
    return {"found": sorted(one.get_property("email-1") or "" for one in found)}


def trust(path):
    """An authority instead of those of the system, for what runs in this process: mail."""
    Gio.TlsBackend.get_default().set_default_database(Gio.TlsFileDatabase.new(path))


def main():
    if "EWS_AUTHORITY" in os.environ:
        trust(os.environ["EWS_AUTHORITY"])
    client = Client()
    for line in sys.stdin:
        job = json.loads(line)
        try:
            seen = globals()[job["scenario"]](client, job)
        except Exception:
            seen = {"FAILED": traceback.format_exc()}
        sys.stdout.write(json.dumps(seen) + "\n")
        sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
