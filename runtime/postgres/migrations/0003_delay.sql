-- The tasks that workers have, by which dtask_delay checks what it is given. Workers write
-- them when they start; of several versions of the arguments the one that started last is
-- the present one.
CREATE TABLE dtask_tasks (
  task     text        NOT NULL,
  schema   text        NOT NULL, -- the fingerprint of the arguments
  queue    text        NOT NULL,
  priority smallint    NOT NULL,
  attempts integer     NOT NULL,
  keep     bigint      NOT NULL, -- in milliseconds
  shape    jsonb,                -- of the arguments; NULL: only Go can check them
  seen     timestamptz NOT NULL,
  PRIMARY KEY (task, schema)
);

-- dtask_misfit returns why a value is not of a shape, or NULL if it is. root has the
-- structs, path is where the value is.
CREATE FUNCTION dtask_misfit(root jsonb, shape jsonb, value jsonb, path text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path FROM CURRENT AS $$
DECLARE
  kind   text := jsonb_typeof(value);
  name   text;
  member jsonb;
  wrong  text;
BEGIN
  IF shape ? 'kinds' AND NOT shape->'kinds' ? kind THEN
    RETURN format('%s is of the kind %s; give it %s', path, kind,
      (SELECT string_agg(k, ' or ' ORDER BY n) FROM jsonb_array_elements_text(shape->'kinds') WITH ORDINALITY AS u (k, n)));
  END IF;
  IF kind = 'array' AND shape ? 'of' THEN
    IF shape ? 'len' AND jsonb_array_length(value) <> (shape->>'len')::integer THEN
      RETURN format('%s has %s elements; give it %s', path, jsonb_array_length(value), shape->>'len');
    END IF;
    FOR member, name IN SELECT e, n - 1 FROM jsonb_array_elements(value) WITH ORDINALITY AS u (e, n) LOOP
      wrong := dtask_misfit(root, shape->'of', member, path || '[' || name || ']');
      IF wrong IS NOT NULL THEN RETURN wrong; END IF;
    END LOOP;
  ELSIF kind = 'object' AND shape ? 'of' THEN
    FOR name, member IN SELECT * FROM jsonb_each(value) LOOP
      wrong := dtask_misfit(root, shape->'of', member, path || '.' || name);
      IF wrong IS NOT NULL THEN RETURN wrong; END IF;
    END LOOP;
  ELSIF kind = 'object' AND shape ? 'struct' THEN
    RETURN dtask_misfit(root, root->'structs'->(shape->>'struct'), value, path);
  ELSIF kind = 'object' AND shape ? 'kinds' THEN
    FOR name IN SELECT jsonb_object_keys(value) LOOP
      IF NOT coalesce(shape->'fields', '{}') ? name THEN
        RETURN format('%s has no field %s; it has %s', path, name,
          coalesce((SELECT string_agg(k, ', ' ORDER BY k) FROM jsonb_object_keys(shape->'fields') AS k), 'none'));
      END IF;
    END LOOP;
    FOR name, member IN SELECT * FROM jsonb_each(coalesce(shape->'fields', '{}')) LOOP
      IF value ? name THEN
        wrong := dtask_misfit(root, member, value->name, path || '.' || name);
        IF wrong IS NOT NULL THEN RETURN wrong; END IF;
      ELSIF NOT member ? 'optional' THEN
        RETURN format('%s.%s is missing', path, name);
      END IF;
    END LOOP;
  END IF;
  RETURN NULL;
END
$$;

-- dtask_delay enqueues a task in the transaction that calls it, and returns the id of the
-- message. It is for triggers and for programs that are not in Go. It does what its owner
-- may: who is to call it needs EXECUTE, and no privilege on a table.
CREATE FUNCTION dtask_delay(task text, args jsonb DEFAULT '{}', queue text DEFAULT NULL, delay interval DEFAULT '0', id text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
  names  text[];
  known  dtask_tasks;
  wrong  text;
  first  text;
  hex    text := replace(gen_random_uuid()::text, '-', '');
  now_ms bigint := floor(extract(epoch FROM clock_timestamp()) * 1000);
  sent   timestamptz := to_timestamp(now_ms / 1000.0);
  mine   text := coalesce(dtask_delay.id, (lpad(to_hex(now_ms), 12, '0') || '7' || substr(hex, 14))::uuid::text); -- version 7
BEGIN
  SELECT array_agg(DISTINCT t.task ORDER BY t.task) INTO names FROM dtask_tasks t
    WHERE t.task = dtask_delay.task OR right(t.task, length(dtask_delay.task) + 1) = '/' || dtask_delay.task;
  IF dtask_delay.task = ANY (names) THEN
    names := ARRAY[dtask_delay.task];
  END IF;
  IF names IS NULL THEN
    RAISE EXCEPTION 'dtask: no worker has ever had the task %', quote_nullable(dtask_delay.task)
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Start a worker that has it, on this database and namespace. SELECT task FROM dtask_tasks shows those that are known.';
  ELSIF cardinality(names) > 1 THEN
    RAISE EXCEPTION 'dtask: % is the end of several names: %', dtask_delay.task, array_to_string(names, ', ')
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Give more of the name.';
  ELSIF octet_length(args::text) > 1048576 THEN
    RAISE EXCEPTION 'dtask: % bytes of arguments, at most 1048576', octet_length(args::text)
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Store the data, and pass its key.';
  ELSIF octet_length(mine) NOT BETWEEN 1 AND 100 THEN
    RAISE EXCEPTION 'dtask: the id has % bytes; give it 1 to 100', octet_length(mine) USING ERRCODE = 'invalid_parameter_value';
  ELSIF dtask_delay.queue !~ '^[A-Za-z0-9._-]{1,100}$' THEN
    RAISE EXCEPTION 'dtask: queue name %: use 1 to 100 letters, digits, ''-'', ''_'' or ''.''', quote_literal(dtask_delay.queue) USING ERRCODE = 'invalid_parameter_value';
  ELSIF args IS NULL OR delay IS NULL OR sent + delay > 'epoch'::timestamptz + interval '253402300799 s' THEN
    RAISE EXCEPTION 'dtask: arguments or delay are NULL, or the delay ends after the year 9999' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  FOR known IN SELECT * FROM dtask_tasks t WHERE t.task = names[1] ORDER BY t.seen DESC LOOP
    wrong := CASE WHEN known.shape IS NULL THEN 'its arguments have a type that only Go can check; enqueue it from a program in Go'
      ELSE dtask_misfit(known.shape, known.shape->'structs'->'', args, 'args') END;
    EXIT WHEN wrong IS NULL;
    first := coalesce(first, wrong);
  END LOOP;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'dtask: task %: %', names[1], first USING ERRCODE = 'invalid_parameter_value';
  END IF;
  INSERT INTO dtask_messages (id, task, queue, body, schema, priority, attempts, enqueued_at, due, keep)
    VALUES (mine, known.task, coalesce(dtask_delay.queue, known.queue), convert_to(args::text, 'UTF8'), known.schema, known.priority,
      known.attempts, sent, greatest(least(sent, statement_timestamp()), sent + delay), known.keep)
    ON CONFLICT (id) DO NOTHING;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'dtask: a message with the id % is there already', quote_literal(mine) USING ERRCODE = 'unique_violation';
  END IF;
  RETURN mine;
END
$$;
REVOKE ALL ON FUNCTION dtask_delay(text, jsonb, text, interval, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION dtask_misfit(jsonb, jsonb, jsonb, text) FROM PUBLIC;
