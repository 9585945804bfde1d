package tidy

// The rules. Those of lines and columns are what ratchet.txt may list.
const (
	ruleFunction   = "function-lines"  // a function over its limit
	ruleColumns    = "line-columns"    // a line over its limit
	ruleFile       = "file-lines"      // a file over its aim or its wall
	ruleRead       = "read"            // a file that cannot be read or parsed
	ruleRoom       = "room"            // a folder that the import plan does not have
	ruleImport     = "import"          // an import against the plan
	ruleClock      = "clock"           // the wall clock in a pure room
	ruleVocabulary = "vocabulary"      // a charging word in the engine
	ruleRatchet    = "ratchet"         // a line of ratchet.txt that can shrink
	rulePackage    = "package-comment" // a package without a comment
	ruleComment    = "comment"         // an exported name without a comment
	ruleNote       = "note"            // work that was put off
	ruleInit       = "init"            // an init function
	ruleGlobal     = "global"          // an exported map or slice that anybody can change
	ruleSwallowed  = "swallowed"       // an error thrown away
	ruleSleep      = "sleep"           // a test that sleeps
	ruleSkip       = "skip"            // a test that is skipped without a word
	ruleFloat      = "float"           // a binary fraction where amounts are counted
	rulePanic      = "panic"           // a panic that nothing explains
	ruleWord       = "word"            // a word of the machine or of the making
	ruleName       = "name"            // a file or folder name that says nothing
	ruleNoun       = "noun"            // a noun without a file to its left (a warning)
)

// Rules are the names of all rules.
func Rules() []string {
	return []string{
		ruleFunction,
		ruleColumns,
		ruleFile,
		ruleRead,
		ruleRoom,
		ruleImport,
		ruleClock,
		ruleVocabulary,
		ruleRatchet,
		rulePackage,
		ruleComment,
		ruleNote,
		ruleInit,
		ruleGlobal,
		ruleSwallowed,
		ruleSleep,
		ruleSkip,
		ruleFloat,
		rulePanic,
		ruleWord,
		ruleName,
		ruleNoun,
	}
}
