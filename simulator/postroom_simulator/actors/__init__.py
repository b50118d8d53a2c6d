"""What mail systems and absent people do by themselves: reports of delivery, bounces, delays, out-of-office replies, complaints.

    ann.actors.append(AutoReply("I am away until Monday."))
    ben.actors.append(Bounce(after=60, status="5.1.1"))
    world.clock.advance(60)

Every message that an actor writes has the null sender, and no actor does anything about mail from the null sender; rules keep it null.
So nothing here can answer itself, or another of its kind (RFC 5321 §4.5.5, RFC 3834 §2). All of it is told in the journal.

wishes     what a sender asks to be told (RFC 3461)
values     what an account of the directory does: `Account.actors`
reports    multipart/report messages (RFC 3464, RFC 5965)
replies    whether an automatic answer may be sent, and its octets (RFC 3834)
courier    what actors do with mail that arrives
desk       what is due when, on the world's clock
"""

from postroom_simulator.actors.values import Actor, AutoReply, Bounce, Complaint, DelayNotice, OofReply, OutOfOffice
from postroom_simulator.actors.wishes import Notify, Wish, Wishes

__all__ = ["Actor", "AutoReply", "Bounce", "Complaint", "DelayNotice", "Notify", "OofReply", "OutOfOffice", "Wish", "Wishes"]
