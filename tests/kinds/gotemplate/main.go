// Renders chat templates as Ollama does, by the engine of Go itself: cases in, prompts out, both JSON.
//
// Of Ollama's own this has two things: turns of one role that follow each other are one, and `.System` is all that
// systems said.
package main

import (
	"encoding/json"
	"log"
	"os"
	"strings"
	"text/template"
)

type turn struct{ Role, Content string }

func prompt(text string, chat []turn) string {
	var systems []string
	var turns []*turn
	for _, each := range chat {
		if each.Role == "system" {
			systems = append(systems, each.Content)
		}
		if last := len(turns) - 1; last >= 0 && turns[last].Role == each.Role {
			turns[last].Content += "\n\n" + each.Content
			continue
		}
		turns = append(turns, &turn{each.Role, each.Content})
	}
	made := template.Must(template.New("").Option("missingkey=zero").Parse(text))
	var said strings.Builder
	values := map[string]any{"System": strings.Join(systems, "\n\n"), "Messages": turns, "Response": ""}
	if err := made.Execute(&said, values); err != nil {
		log.Fatal(err)
	}
	return said.String()
}

func main() {
	var cases []struct {
		Template string
		Chat     []turn
	}
	if err := json.NewDecoder(os.Stdin).Decode(&cases); err != nil {
		log.Fatal(err)
	}
	prompts := []string{}
	for _, each := range cases {
		prompts = append(prompts, prompt(each.Template, each.Chat))
	}
	if err := json.NewEncoder(os.Stdout).Encode(prompts); err != nil {
		log.Fatal(err)
	}
}
