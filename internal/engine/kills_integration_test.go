//go:build integration

package engine_test

// kills is how often TestKilled kills.
const kills = 6
