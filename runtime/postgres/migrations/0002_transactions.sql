-- What transactions of the application have cancelled while it ran. A process that
-- consumes tells the worker, and deletes the row: the transaction itself locks no message
-- that others are about to settle.
CREATE TABLE dtask_cancels (
  seq     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  message bigint NOT NULL -- its seq
);
