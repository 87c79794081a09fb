"""What the file of evidence says to who opens it, a lawyer more likely than an engineer."""

from __future__ import annotations

TEXT = """\
EVIDENCE ABOUT {number}

This file was made by Callgate, the gate that an organisation asks before it places a call or sends a text. It holds
what the gate recorded about the number {number} for the account {account},
from {since} to {until}, and for each record a proof that it has not
been changed since the hour after it was made.

WHAT IS IN IT

records.ndjson    One record a line:
                  decision     a call or text that somebody wanted to place, approved or refused, with every check,
                               every reason, and the versions of the rules that were applied
                  suppression  each time the number was put on, changed on or taken off the do-not-contact list,
                               opt-outs of the person called among them (source "opt_out")
                  consent      a consent that was put on record, with the evidence that was given for it
                  consent_end  when and why a consent ended
                  reply        a message of the person that was taken as an opt-out or an opt-in
rules/            The text of the legal rules as they stood when the decisions were made, by the digest that each
                  decision names under "versions", "law".
registries.json   Which versions of the do-not-call registries were loaded when.
outcomes.ndjson   How the contacts ended, as the caller reported it. This part is not sealed.
seals.ndjson      The seals: one signed statement for each hour, each naming the one before it.
keys.json         The public keys by which the signatures are checked.
manifest.json     What the file holds, with a fingerprint of each part; manifest.sig is its signature.

WHAT IT PROVES

Each hour, all records of the account are reduced to one number (a Merkle root, RFC 9162) that changes when any of
them changes, and that number is signed (Ed25519) together with the one before. The proof of a record leads from its
text to that number. If the proof holds, the record is, letter for letter, what was sealed in that hour.

It does not prove that what was recorded is true (that a person did consent, for example), nor that nothing was left
out before the seal was made. That the keys are those of the organisation is known from a copy that was taken before
a dispute arose: the organisation publishes them at /.well-known/callgate-keys.json.

A record without a seal was made within the last two hours, or before the organisation began to seal.

HOW IT IS CHECKED

Install Callgate on any computer; no network, service or database is needed:

    callgate evidence verify FILE
    callgate evidence verify FILE --trust KEY    (a key's id that you know from elsewhere)

It names every record that was changed, removed from this file or added to it, every wrong signature, and every break
in the chain of seals. How the check is made by other means is written in docs/evidence.md.
"""
