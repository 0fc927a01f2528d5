package jsonwire

import (
	"go/types"
	"slices"

	"golang.org/x/tools/go/types/typeutil"

	"github.com/dtaskhq/dtask/internal/schema"
)

// SchemaOf returns the schema of arguments that have a field for each parameter. Some
// of them are secret.
func (j *Judge) SchemaOf(params []*types.Var, secret []string) *schema.Schema {
	d := j.newDescription()
	for _, v := range params {
		d.schema.Fields = append(d.schema.Fields, d.field(v.Name(), v.Type(), fieldOptions{secret: slices.Contains(secret, v.Name())}, nil))
	}
	return d.finish()
}

// SchemaOfStruct returns the schema of arguments that are a struct.
func (j *Judge) SchemaOfStruct(st *types.Struct) *schema.Schema {
	d := j.newDescription()
	d.schema.Fields = d.fields(st)
	return d.finish()
}

// A description is a schema in the making. Named structs are written once, or else
// recursive types would not end.
type description struct {
	*Judge
	schema  schema.Schema
	refs    typeutil.Map // of named structs: their names
	names   map[string]bool
	pending []pendingStruct
	open    []types.Type // named types around the one to write, except structs
}

type pendingStruct struct {
	name string
	st   *types.Struct
}

func (j *Judge) newDescription() *description {
	return &description{Judge: j, names: make(map[string]bool)}
}

// finish adds the structs that were referred to.
func (d *description) finish() *schema.Schema {
	for len(d.pending) > 0 {
		next := d.pending[0]
		d.pending = d.pending[1:]
		if fields := d.fields(next.st); len(fields) > 0 {
			d.schema.Structs = append(d.schema.Structs, schema.Struct{Name: next.name, Fields: fields})
		}
	}
	return &d.schema
}

// fields describes the fields of a struct.
func (d *description) fields(st *types.Struct) []schema.Field {
	found, _ := d.jsonFields(st)
	var fields []schema.Field
	for _, f := range found {
		fields = append(fields, d.field(f.name, f.v.Type(), f.options, f.was))
	}
	return fields
}

func (d *description) field(name string, t types.Type, options fieldOptions, was []string) schema.Field {
	secret := options.secret || d.hidesSecret(t)
	return schema.Field{Name: name, Type: d.typ(t), Quoted: options.quoted, Optional: options.optional, Secret: secret, Was: was}
}
