package processors

// Reasons are all reasons for a dead letter, in alphabetical order.
func Reasons() []Reason {
	return []Reason{ReasonBound, ReasonFuture, ReasonKeyMismatch, ReasonLate, ReasonMalformed,
		ReasonNullKey, ReasonNullValue, ReasonOversized, ReasonTariffRefused}
}
