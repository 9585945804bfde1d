// Package ocmf reads signed meter values in the Open Charge Metering Format and reports whether
// those of a session may be billed by. The source is the description of SAFE e.V., revision 1.2
// (github.com/SAFE-eV/OCMF-Open-Charge-Metering-Format); tables and sections below are its.
//
// It holds one text as what it says (Value, made by Parse), and what all texts of a session say
// together (Result, made by Session): whether a begin and an end are there, the energy between
// them, whether the registry's public key accepts the signatures, and what is wrong. It refuses to
// know what was billed, whether a connector has to be calibrated, and where a text came from; it
// takes no public key but the registry's, and reads neither clock nor chance. The texts of a user,
// a tariff or a cable loss are not read: no amount of energy hangs on them.
//
// # A text
//
//	OCMF|{"PG":"T1","MS":"1","RD":[{"TM":"2018-07-24T13:22:04,000+0200 S","TX":"B","RV":7.25,
//	"RI":"1-b:1.8.0","RU":"kWh","EF":"","ST":"G"}]}|{"SA":"ECDSA-secp256r1-SHA256","SD":"3045…"}
//
// Signed are the bytes between the two pipes, white space included. The format forbids a pipe
// within a section, yet a text that somebody typed (a tariff, a card) may have one: a pipe in a
// JSON string belongs to the string, and the payload ends where its JSON object does. So there is
// one way only to split a text. A third section is refused.
//
// Read strictly is what energy hangs on; a name that occurs twice in an object is refused, as
// readers differ in which of the two they take. Read as meters write it, though the format says
// otherwise: a number in quotes with spaces around it, a serial number without quotes, a page with
// leading zeros, the serial of the gateway where that of the meter is missing, a dot before the
// milliseconds, and a signature without the zero octets that DER wants.
//
// # A session
//
// Texts are put in the order of their pages, so neither their order of arrival nor duplicates
// matter. Pages outside of transactions (F) are counted on their own: such a text must be of the
// meter, and says nothing else of the session. A begin or end that a later text repeats word for
// word is one. A meter may read several registers at a time: those of exported energy (OBIS group
// C 2 and C0 to C3), of other than running totals (group D not 8) and of other units are left
// out, those behind the cable (B1, B3) go before those ahead of it, and of what is left all must
// say the same energy. Flags and states are looked at in every reading, as the section on signing
// and verification asks: an error in between must lead to an error.
//
// That an end is missing is no problem, as a session may be running: Result.End tells.
//
// # Signatures
//
// The algorithm that a text names is not signed. So whether a curve can be checked is told by the
// registry's key alone, and a text that names another curve than the key's is refused: else any
// text could excuse itself from being checked. All curves of Table 22 are computed with, and
// secp521r1. Where there is no key, or it lies on another curve, the signatures are Unverified or
// Unsupported, and whoever bills by them must treat them as not checked.
//
// A text in hexadecimal or base64 is taken as the text inside; Value.Raw keeps what came. A
// register may have any number of decimals: energy is the exact difference, rounded down to a mWh.
package ocmf
