// Renders the chart as `helm template` does. Helm is in neither Debian 12 nor npm, but what its templates are made of is in
// Debian: Go's text/template, sprig's functions, sigs.k8s.io/yaml. Helm's own part, which is done anew here, is: values over
// values, the functions include, tpl, required, toYaml and their like, files that begin with _ are for include alone, and what is
// missing is nothing.
//
//	render CHART < {"release": NAME, "namespace": NAME, "values": {...}}
//
// prints {"documents": [{"template": FILE, "object": {...}}, ...], "notes": TEXT}.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"sigs.k8s.io/yaml"
)

type object = map[string]interface{}

type request struct {
	Release   string `json:"release"`
	Namespace string `json:"namespace"`
	Values    object `json:"values"`
}

type document struct {
	Template string `json:"template"`
	Object   object `json:"object"`
}

// files is .Files of a template.
type files struct{ folder string }

func (f files) Get(name string) string {
	content, err := os.ReadFile(filepath.Join(f.folder, name))
	if err != nil {
		return ""
	}
	return string(content)
}

// coalesce puts `over` over `base`; null takes a value away.
func coalesce(base, over object) object {
	result := object{}
	for key, value := range base {
		result[key] = value
	}
	for key, value := range over {
		if value == nil {
			delete(result, key)
			continue
		}
		below, isMap := value.(object)
		under, hasMap := result[key].(object)
		if isMap && hasMap {
			result[key] = coalesce(under, below)
		} else {
			result[key] = value
		}
	}
	return result
}

func toYaml(value interface{}) string {
	text, err := yaml.Marshal(value)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(text), "\n")
}

func fromYaml(text string) object {
	result := object{}
	if err := yaml.Unmarshal([]byte(text), &result); err != nil {
		result["Error"] = err.Error()
	}
	return result
}

func required(message string, value interface{}) (interface{}, error) {
	if value == nil || value == "" {
		return value, errors.New(message)
	}
	return value, nil
}

// execute runs a template; what it misses is nothing, as in Helm.
func execute(set *template.Template, name string, data interface{}) (string, error) {
	var out bytes.Buffer
	if err := set.ExecuteTemplate(&out, name, data); err != nil {
		return "", err
	}
	return strings.ReplaceAll(out.String(), "<no value>", ""), nil
}

func functions(set *template.Template) template.FuncMap {
	all := sprig.TxtFuncMap()
	// Helm takes these away: a chart may not read the environment of who renders it.
	delete(all, "env")
	delete(all, "expandenv")
	all["toYaml"] = toYaml
	all["fromYaml"] = fromYaml
	all["required"] = required
	all["lookup"] = func(string, string, string, string) object { return object{} }
	all["include"] = func(name string, data interface{}) (string, error) { return execute(set, name, data) }
	all["tpl"] = func(text string, data interface{}) (string, error) {
		copied, err := set.Clone()
		if err != nil {
			return "", err
		}
		if _, err := copied.New("tpl").Parse(text); err != nil {
			return "", err
		}
		return execute(copied, "tpl", data)
	}
	return all
}

// load parses every file below templates/ and returns their names, the partials left out.
func load(folder string) (*template.Template, []string, error) {
	set := template.New("chart").Option("missingkey=zero")
	set.Funcs(functions(set))
	var names []string
	err := filepath.Walk(filepath.Join(folder, "templates"), func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(folder, path)
		if _, err := set.New(name).Parse(string(content)); err != nil {
			return err
		}
		if !strings.HasPrefix(filepath.Base(path), "_") {
			names = append(names, name)
		}
		return nil
	})
	sort.Strings(names)
	return set, names, err
}

func readYaml(path string) (object, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	result := object{}
	return result, yaml.UnmarshalStrict(text, &result)
}

var separator = regexp.MustCompile(`(?m)^---\s*$`)

func render(folder string, asked request) ([]document, string, error) {
	chart, err := readYaml(filepath.Join(folder, "Chart.yaml"))
	if err != nil {
		return nil, "", err
	}
	defaults, err := readYaml(filepath.Join(folder, "values.yaml"))
	if err != nil {
		return nil, "", err
	}
	set, names, err := load(folder)
	if err != nil {
		return nil, "", err
	}
	data := object{
		"Values":  coalesce(defaults, asked.Values),
		"Release": object{"Name": asked.Release, "Namespace": asked.Namespace, "Service": "Helm", "IsInstall": true, "IsUpgrade": false, "Revision": 1},
		"Chart":   object{"Name": chart["name"], "Version": chart["version"], "AppVersion": chart["appVersion"]},
		"Files":   files{folder},
	}
	documents, notes := []document{}, ""
	for _, name := range names {
		text, err := execute(set, name, data)
		if err != nil {
			return nil, "", err
		}
		if filepath.Base(name) == "NOTES.txt" {
			notes = text
			continue
		}
		for _, part := range separator.Split(text, -1) {
			parsed := object{}
			// Strict: a key that stands twice is a mistake of the template.
			if err := yaml.UnmarshalStrict([]byte(part), &parsed); err != nil {
				return nil, "", fmt.Errorf("%s: %w\n%s", name, err, part)
			}
			if len(parsed) != 0 {
				documents = append(documents, document{name, parsed})
			}
		}
	}
	return documents, notes, nil
}

func main() {
	var asked request
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	documents, notes, err := render(os.Args[1], asked)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(object{"documents": documents, "notes": notes}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
