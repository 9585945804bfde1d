// Package store keeps the committed rows of one partition, of all tables of a task, in one
// goleveldb: the tables are never at different commits. It is written behind the commit, so that
// the disk never knows what the changelogs do not, and no record waits for a disk.
//
// The package knows no broker and no goka; package engine feeds it and shows goka its first table.
package store
