package codecs

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"chargestream"
)

// sessionNumberNone is what some chargers have in place of a transaction: the largest int64.
const sessionNumberNone = "9223372036854775807"

// noSession reports whether a session_id names no session: OCPP 1.6 counts transactions from 1,
// and chargers that were offline at the start send 0, -1 or another negative number.
func noSession(id sessionText) bool {
	negative, cut := strings.CutPrefix(string(id), "-")
	return id == "" || id == "0" || id == sessionNumberNone || cut && wholeNumber(negative)
}

// sessionID is the session of a start, an end or a record at this time. One that names none gets
// an id made of where and when it was: so it is a session of its own, whose bill is held, and the
// same event is the same session again. An end has a suffix, or it would be the end of a session
// that starts in the same second.
func (w *wire) sessionID(at chargestream.Millis, suffix string) (chargestream.SessionID, error) {
	if !noSession(w.SessionID) {
		if chargestream.CheckID(string(w.SessionID)) != nil {
			return "", errID("session_id", string(w.SessionID))
		}
		return chargestream.SessionID(w.SessionID), nil
	}
	connector := string(w.ConnectorID)
	if connector == "" {
		connector = "-"
	}
	return chargestream.SessionID(boundID(
		"unknown/" + w.StationID + "/" + connector + "/" + at.String() + suffix)), nil
}

// boundDigestBytes is how much of a SHA-256 stands for what boundID cuts off.
const boundDigestBytes = 16

// boundID is the text, or where it is too long for an identifier its begin and a hash of it all.
func boundID(text string) string {
	if len(text) <= chargestream.IDBytesMax {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	digest := hex.EncodeToString(sum[:boundDigestBytes])
	head := strings.ToValidUTF8(text[:chargestream.IDBytesMax-1-len(digest)], "")
	return head + "-" + digest
}
