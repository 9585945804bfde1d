//go:build integration

package engine_test

// kills is how often TestKilled kills.
const kills = 6

// failures is how many folds TestRecordThatFailedIsFoldedAgain lets fail.
const failures = 40
