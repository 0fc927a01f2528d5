package schema

// Secrets returns the part of the schema that leads to secret fields: these, and the
// fields that they are in. It is empty if nothing is secret.
func (s *Schema) Secrets() *Schema {
	r := &reduction{from: s, leads: make(map[string]bool)}
	for again := true; again; { // a struct may contain itself
		again = false
		for _, st := range s.Structs {
			if !r.leads[st.Name] && len(r.fields(st.Fields)) > 0 {
				r.leads[st.Name], again = true, true
			}
		}
	}
	part := &Schema{Fields: r.fields(s.Fields)}
	for _, st := range s.Structs {
		if r.leads[st.Name] {
			part.Structs = append(part.Structs, Struct{st.Name, r.fields(st.Fields)})
		}
	}
	if !part.secret() {
		return new(Schema)
	}
	return part
}

// secret reports whether there is a secret field, and not only types that might lead
// to one.
func (s *Schema) secret() bool {
	found := anySecret(s.Fields)
	for _, st := range s.Structs {
		found = found || anySecret(st.Fields)
	}
	return found
}

func anySecret(fields []Field) bool {
	for _, f := range fields {
		if f.Secret || f.Type.secret() {
			return true
		}
	}
	return false
}

func (t *Type) secret() bool { return t.Elem != nil && t.Elem.secret() || anySecret(t.Fields) }

// A reduction finds what leads to secret fields.
type reduction struct {
	from  *Schema
	leads map[string]bool // structs in which a secret field was found
}

func (r *reduction) fields(fields []Field) (some []Field) {
	for _, f := range fields {
		if f.Secret {
			some = append(some, f)
		} else if t := r.typ(f.Type); t != nil {
			f.Type = t
			some = append(some, f)
		}
	}
	return some
}

// typ returns a type with the fields that matter, or nil if it has none. A type that
// is the one around it is taken to have some.
func (r *reduction) typ(t *Type) *Type {
	part := *t
	switch {
	case t.Kind == Outer, t.Kind == Ref && r.leads[t.Name]:
		return t
	case t.Kind == Inline:
		if part.Fields = r.fields(t.Fields); part.Fields == nil {
			return nil
		}
		return &part
	case t.Elem != nil:
		if part.Elem = r.typ(t.Elem); part.Elem == nil {
			return nil
		}
		return &part
	}
	return nil
}
