"""One file a step, ordered by `down_revision`. A step that was released is never changed."""
