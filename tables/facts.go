package tables

// Facts is a session's row without its marks: how far its bill has come depends on when timers
// fired. What is left is the same for every order of reading, byte for byte; what is billed of it
// is held by the documents.
func (s *Session) Facts() []byte {
	facts := *s
	facts.Marks = Marks{}
	return facts.Append(nil)
}
