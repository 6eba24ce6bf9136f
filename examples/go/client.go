// What an application asks of pgcache, with redigo. Start `make run`, then: go run client.go <port that it printed>
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/gomodule/redigo/redis"
)

// Cache reads rows and results of PostgreSQL through pgcache.
type Cache struct {
	connections *redis.Pool
}

// Read decodes a row into row, and returns false when PostgreSQL has no such row.
func (cache Cache) Read(table string, key, row any) (bool, error) {
	found, err := cache.text("READ", table, object(key))
	if err != nil || found == "" {
		return false, err
	}
	return true, json.Unmarshal([]byte(found), row)
}

// MultiRead decodes any number of rows into rows, in one round trip and in the order asked. An absent row is null.
func (cache Cache) MultiRead(table string, keys, rows any) error {
	return cache.decode(rows, "MULTIREAD", table, object(keys))
}

// Query decodes the rows of a query that has a name.
func (cache Cache) Query(name string, parameters, rows any) error {
	return cache.decode(rows, "QUERY", "NAME", name, object(parameters))
}

// Invalidate drops a row: after the application has changed it in a table that nobody watches, and its transaction has committed.
func (cache Cache) Invalidate(table string, key any) error {
	_, err := cache.text("INVALIDATE", table, object(key))
	return err
}

func (cache Cache) decode(rows any, command string, words ...any) error {
	found, err := cache.text(command, words...)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(found), rows)
}

// text is empty when the answer is nil.
func (cache Cache) text(command string, words ...any) (string, error) {
	connection := cache.connections.Get()
	defer connection.Close()
	text, err := redis.String(connection.Do("PGCACHE."+command, words...))
	if err == redis.ErrNil {
		return "", nil
	}
	return text, err
}

func object(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		log.Panic(err)
	}
	return string(text)
}

// PassesByItself tells whether the same command may succeed a moment later. The first word of an error is its code.
func PassesByItself(err error) bool {
	code, _, _ := strings.Cut(err.Error(), " ")
	return code == "PGDOWN" || code == "PGTIMEOUT" || code == "PGBUSY"
}

// User is a row of users, as far as it is wanted.
type User struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// Key is a lookup key of users.
type Key struct {
	ID int64 `json:"id"`
}

func main() {
	address := "127.0.0.1:" + os.Args[1]
	cache := Cache{&redis.Pool{MaxIdle: 4, Dial: func() (redis.Conn, error) { return redis.Dial("tcp", address) }}}

	var user User
	found, err := cache.Read("users", Key{3}, &user)
	if err != nil {
		log.Fatalf("%v (again later: %v)", err, PassesByItself(err))
	}
	fmt.Println(found, user.Name)

	var users []*User
	if err := cache.MultiRead("users", []Key{{3}, {4}, {999999}}, &users); err != nil {
		log.Fatal(err)
	}
	fmt.Println(users[1].Name, users[2] == nil)

	if err := cache.Invalidate("users", Key{3}); err != nil {
		log.Fatal(err)
	}
	_, err = cache.text("DEFINE", "called", "SELECT id, name FROM users WHERE name LIKE $1 ORDER BY id LIMIT 2")
	if err != nil {
		log.Fatal(err)
	}
	if err := cache.Query("called", []string{"User 7%"}, &users); err != nil {
		log.Fatal(err)
	}
	fmt.Println(users[0].Name, users[1].Name)

	_, err = cache.Read("users", map[string]string{"id": "abc"}, &user)
	fmt.Println(strings.HasPrefix(err.Error(), "PGBADVALUE "), PassesByItself(err))
}
