package rabbittest

import "fmt"

// What an operator does to a node. It does not use rabbitmqctl, which takes a
// second of processor time for each call.

// MemoryAlarm begins or ends an alarm about memory.
func (n *Node) MemoryAlarm(on bool) {
	n.t.Helper()
	limit := "0.4"
	if on {
		limit = "0.000001"
	}
	n.Eval("vm_memory_monitor:set_vm_memory_high_watermark(" + limit + ")")
}

// DiskAlarm begins or ends an alarm about disk space.
func (n *Node) DiskAlarm(on bool) {
	n.t.Helper()
	limit := "50000000"
	if on {
		limit = "1000000000000000"
	}
	n.Eval("rabbit_disk_monitor:set_disk_free_limit(" + limit + ")")
}

// StopApp stops RabbitMQ and starts it again, in the same process.
func (n *Node) StopApp() {
	n.t.Helper()
	n.Eval("rabbit:stop()")
	n.Eval("rabbit:start()")
}

// CloseConnections closes all connections in order.
func (n *Node) CloseConnections() {
	n.t.Helper()
	n.Eval(`[rabbit_networking:close_connection(C, "by the operator") || C <- rabbit_networking:connections()]`)
}

// AddUser adds a user, who has no permissions.
func (n *Node) AddUser(name, password string) {
	n.t.Helper()
	n.Eval(fmt.Sprintf("rabbit_auth_backend_internal:add_user(<<%q>>, <<%q>>, <<\"test\">>)", name, password))
}

// DeleteUser deletes a user.
func (n *Node) DeleteUser(name string) {
	n.t.Helper()
	n.Eval(fmt.Sprintf("rabbit_auth_backend_internal:delete_user(<<%q>>, <<\"test\">>)", name))
}

// Permit gives a user permissions, by patterns of names.
func (n *Node) Permit(user, configure, write, read string) {
	n.t.Helper()
	n.Eval(fmt.Sprintf("rabbit_auth_backend_internal:set_permissions(<<%q>>, <<\"/\">>, <<%q>>, <<%q>>, <<%q>>, <<\"test\">>)", user, configure, write, read))
}

// Forbid takes the permissions of a user away.
func (n *Node) Forbid(user string) {
	n.t.Helper()
	n.Eval(fmt.Sprintf("rabbit_auth_backend_internal:clear_permissions(<<%q>>, <<\"/\">>, <<\"test\">>)", user))
}

// LimitQueues sets the greatest length of the queues that match a pattern; 0
// takes it away.
func (n *Node) LimitQueues(pattern string, length int) {
	n.t.Helper()
	if length == 0 {
		n.Eval(`rabbit_policy:delete(<<"/">>, <<"full">>, <<"test">>)`)
		return
	}
	n.Eval(fmt.Sprintf(`rabbit_policy:set(<<"/">>, <<"full">>, <<%q>>, [{<<"max-length">>, %d}], 0, <<"queues">>, <<"test">>)`, pattern, length))
}
