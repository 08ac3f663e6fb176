"""Where a person's tokens are kept between commands.

vault            records by key, whoever keeps them
records          what is kept: grants and registrations
system_vault     which of the two below this user has
keyring_vault    the system's keyring
file_vault       an encrypted file
file_lock        one process at a time
state_directory  where files of this user are
"""
