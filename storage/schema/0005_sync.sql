-- What a device itself did to the hierarchy, so that FolderSync does not echo it although others changed folders meanwhile
-- (as placement has changed_by, modseq_before and born_by). A mark counts only while the row stands as it was told: whoever
-- changes the row later need not know of marks.
alter table mailbox
  add column told_by bigint,
  add column told_modseq bigint,
  add column told_before bigint,
  add column born_by bigint,
  add column born_told bigint;
comment on column mailbox.told_by is 'The device that made the row what it is and knows it, while modseq_hierarchy = told_modseq.';
comment on column mailbox.told_before is 'modseq_hierarchy before that device''s latest unbroken run of changes.';
comment on column mailbox.born_by is 'The device that created it and was told the id, while modseq_born = born_told.';

comment on column sync_state.given_b is 'Null: 0, as of given_item, used_b and used_item: most states have no such number.';
comment on column sync_state.used_options is 'Null: the same as given_options.';
