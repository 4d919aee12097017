-- Devices: who decided on access, remote wipe, loops, traces, and all that DeviceInformation tells.

alter table device
  add column imei text,
  add column os_language text,
  add column mobile_operator text,
  add column decided boolean not null default false,
  add column notice_due boolean not null default false,
  add column policy_at timestamptz,
  add column wipe smallint not null default 0,
  add column wipe_kind smallint not null default 0,
  add column wipe_by text,
  add column wipe_ordered_at timestamptz,
  add column wipe_sent_at timestamptz,
  add column wipe_answered_at timestamptz,
  add column loops int not null default 0,
  add column loop_what text,
  add column loop_at timestamptz,
  add column trace_until timestamptz,
  add column trace_content boolean not null default false;
comment on column device.decided is 'An administrator decided on access; else it is what eas.new_devices said.';
comment on column device.notice_due is 'The mail that tells the user why his new device may not sync is still to be delivered.';
comment on column device.policy_at is 'When policy_key was acknowledged.';
comment on column device.wipe is 'enum device_wipe: 0 none, 1 ordered, 2 sent, 3 done, 4 refused by the device.';
comment on column device.wipe_kind is 'enum device_wipe_kind: 0 the account only, 1 the whole device.';
comment on column device.loops is 'How many episodes of a loop were seen; loop_what and loop_at are of the last one.';
comment on column device.trace_until is 'Requests are written to a trace file until then.';
