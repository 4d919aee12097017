/* The policy that phones are asked to apply (MS-ASPROV 2.2.2): one row is a setting and an element of EASProvisionDoc.
 * P(X, ID, Element, since (protocol version times ten), KIND, "key", TYPE, "default", min, max, "documentation") */
#pragma once

#define POLICY_ROWS(X, P) \
    P(X, DEVICE_PASSWORD_ENABLED, DevicePasswordEnabled, 120, SWITCH, \
      "device_password_enabled", BOOL, "false", 0, 0, \
      "Ask for a password on the phone; the other password rows count only then.") \
    P(X, ALPHANUMERIC_DEVICE_PASSWORD_REQUIRED, AlphanumericDevicePasswordRequired, 120, SWITCH, \
      "alphanumeric_device_password_required", BOOL, "false", 0, 0, \
      "The password needs letters and digits.") \
    P(X, PASSWORD_RECOVERY_ENABLED, PasswordRecoveryEnabled, 120, SWITCH, \
      "password_recovery_enabled", BOOL, "false", 0, 0, \
      "The phone may keep a recovery password on the server, which does not take it (Status 7).") \
    P(X, ATTACHMENTS_ENABLED, AttachmentsEnabled, 120, SWITCH, \
      "attachments_enabled", BOOL, "true", 0, 0, \
      "Attachments may be loaded.") \
    P(X, MIN_DEVICE_PASSWORD_LENGTH, MinDevicePasswordLength, 120, NUMBER, \
      "min_device_password_length", INT, "0", 0, 16, \
      "Shortest password; 0: any.") \
    P(X, MAX_INACTIVITY_TIME_DEVICE_LOCK, MaxInactivityTimeDeviceLock, 120, NUMBER, \
      "max_inactivity_time_device_lock", INT, "0", 0, 9998, \
      "Seconds until the phone locks itself; 0: its own choice.") \
    P(X, MAX_DEVICE_PASSWORD_FAILED_ATTEMPTS, MaxDevicePasswordFailedAttempts, 120, NUMBER, \
      "max_device_password_failed_attempts", INT, "0", 0, 16, \
      "After so many wrong passwords the phone ERASES ITSELF; 0: never. The protocol knows 4 to 16.") \
    P(X, MAX_ATTACHMENT_SIZE, MaxAttachmentSize, 120, NUMBER, \
      "max_attachment_size", INT, "0", 0, 2147483647, \
      "Octets of the biggest attachment that may be loaded; 0: any.") \
    P(X, ALLOW_SIMPLE_DEVICE_PASSWORD, AllowSimpleDevicePassword, 120, SWITCH, \
      "allow_simple_device_password", BOOL, "true", 0, 0, \
      "Passwords such as 1234 will do.") \
    P(X, DEVICE_PASSWORD_EXPIRATION, DevicePasswordExpiration, 120, NUMBER, \
      "device_password_expiration", INT, "0", 0, 730, \
      "Days after which a password must be changed; 0: never.") \
    P(X, DEVICE_PASSWORD_HISTORY, DevicePasswordHistory, 120, NUMBER, \
      "device_password_history", INT, "0", 0, 50, \
      "So many old passwords may not come again.") \
    P(X, REQUIRE_STORAGE_CARD_ENCRYPTION, RequireStorageCardEncryption, 121, SWITCH, \
      "require_storage_card_encryption", BOOL, "false", 0, 0, \
      "Memory cards must be encrypted.") \
    P(X, ALLOW_STORAGE_CARD, AllowStorageCard, 121, SWITCH, \
      "allow_storage_card", BOOL, "true", 0, 0, \
      "Memory cards may be used.") \
    P(X, ALLOW_CAMERA, AllowCamera, 121, SWITCH, \
      "allow_camera", BOOL, "true", 0, 0, \
      "The camera may be used.") \
    P(X, REQUIRE_DEVICE_ENCRYPTION, RequireDeviceEncryption, 121, SWITCH, \
      "require_device_encryption", BOOL, "false", 0, 0, \
      "The phone must be encrypted.") \
    P(X, ALLOW_UNSIGNED_APPLICATIONS, AllowUnsignedApplications, 121, SWITCH, \
      "allow_unsigned_applications", BOOL, "true", 0, 0, \
      "Unsigned programs may run.") \
    P(X, ALLOW_UNSIGNED_INSTALLATION_PACKAGES, AllowUnsignedInstallationPackages, 121, SWITCH, \
      "allow_unsigned_installation_packages", BOOL, "true", 0, 0, \
      "Unsigned programs may be installed.") \
    P(X, MIN_DEVICE_PASSWORD_COMPLEX_CHARACTERS, MinDevicePasswordComplexCharacters, 121, NUMBER, \
      "min_device_password_complex_characters", INT, "0", 0, 4, \
      "Kinds of characters in a password; 0: any.") \
    P(X, ALLOW_WIFI, AllowWiFi, 121, SWITCH, \
      "allow_wifi", BOOL, "true", 0, 0, \
      "WLAN may be used.") \
    P(X, ALLOW_TEXT_MESSAGING, AllowTextMessaging, 121, SWITCH, \
      "allow_text_messaging", BOOL, "true", 0, 0, \
      "Text messages may be sent.") \
    P(X, ALLOW_POP_IMAP_EMAIL, AllowPOPIMAPEmail, 121, SWITCH, \
      "allow_pop_imap_email", BOOL, "true", 0, 0, \
      "POP and IMAP accounts may be used.") \
    P(X, ALLOW_BLUETOOTH, AllowBluetooth, 121, NUMBER, \
      "allow_bluetooth", INT, "2", 0, 2, \
      "0: off, 1: hands-free only, 2: on.") \
    P(X, ALLOW_IRDA, AllowIrDA, 121, SWITCH, \
      "allow_irda", BOOL, "true", 0, 0, \
      "Infrared may be used.") \
    P(X, REQUIRE_MANUAL_SYNC_WHEN_ROAMING, RequireManualSyncWhenRoaming, 121, SWITCH, \
      "require_manual_sync_when_roaming", BOOL, "false", 0, 0, \
      "No push while roaming.") \
    P(X, ALLOW_DESKTOP_SYNC, AllowDesktopSync, 121, SWITCH, \
      "allow_desktop_sync", BOOL, "true", 0, 0, \
      "The phone may sync with a desktop.") \
    P(X, MAX_CALENDAR_AGE_FILTER, MaxCalendarAgeFilter, 121, NUMBER, \
      "max_calendar_age_filter", INT, "0", 0, 7, \
      "Oldest appointments: 4 to 7 as in FilterType; 0: all.") \
    P(X, ALLOW_HTML_EMAIL, AllowHTMLEmail, 121, SWITCH, \
      "allow_html_email", BOOL, "true", 0, 0, \
      "HTML mail may be shown.") \
    P(X, MAX_EMAIL_AGE_FILTER, MaxEmailAgeFilter, 121, NUMBER, \
      "max_email_age_filter", INT, "0", 0, 5, \
      "Oldest mail: 1 to 5 as in FilterType; 0: all.") \
    P(X, MAX_EMAIL_BODY_TRUNCATION_SIZE, MaxEmailBodyTruncationSize, 121, NUMBER, \
      "max_email_body_truncation_size", INT, "0", 0, 2147483647, \
      "Octets of a text body at most; 0: any.") \
    P(X, MAX_EMAIL_HTML_BODY_TRUNCATION_SIZE, MaxEmailHTMLBodyTruncationSize, 121, NUMBER, \
      "max_email_html_body_truncation_size", INT, "0", 0, 2147483647, \
      "Octets of an HTML body at most; 0: any.") \
    P(X, REQUIRE_SIGNED_SMIME_MESSAGES, RequireSignedSMIMEMessages, 121, SWITCH, \
      "require_signed_smime_messages", BOOL, "false", 0, 0, \
      "Mail must be signed.") \
    P(X, REQUIRE_ENCRYPTED_SMIME_MESSAGES, RequireEncryptedSMIMEMessages, 121, SWITCH, \
      "require_encrypted_smime_messages", BOOL, "false", 0, 0, \
      "Mail must be encrypted.") \
    P(X, REQUIRE_SIGNED_SMIME_ALGORITHM, RequireSignedSMIMEAlgorithm, 121, NUMBER, \
      "require_signed_smime_algorithm", INT, "0", 0, 1, \
      "0: SHA1, 1: MD5.") \
    P(X, REQUIRE_ENCRYPTION_SMIME_ALGORITHM, RequireEncryptionSMIMEAlgorithm, 121, NUMBER, \
      "require_encryption_smime_algorithm", INT, "0", 0, 4, \
      "0: 3DES, 1: DES, 2 to 4: RC2 of 128, 64, 40 bits.") \
    P(X, ALLOW_SMIME_ENCRYPTION_ALGORITHM_NEGOTIATION, AllowSMIMEEncryptionAlgorithmNegotiation, 121, NUMBER, \
      "allow_smime_encryption_algorithm_negotiation", INT, "2", 0, 2, \
      "0: no, 1: strong ones only, 2: any.") \
    P(X, ALLOW_SMIME_SOFT_CERTS, AllowSMIMESoftCerts, 121, SWITCH, \
      "allow_smime_soft_certs", BOOL, "true", 0, 0, \
      "Certificates in software may be used.") \
    P(X, ALLOW_BROWSER, AllowBrowser, 121, SWITCH, \
      "allow_browser", BOOL, "true", 0, 0, \
      "The browser may be used.") \
    P(X, ALLOW_CONSUMER_EMAIL, AllowConsumerEmail, 121, SWITCH, \
      "allow_consumer_email", BOOL, "true", 0, 0, \
      "Private mail accounts may be used.") \
    P(X, ALLOW_REMOTE_DESKTOP, AllowRemoteDesktop, 121, SWITCH, \
      "allow_remote_desktop", BOOL, "true", 0, 0, \
      "Remote desktops may be used.") \
    P(X, ALLOW_INTERNET_SHARING, AllowInternetSharing, 121, SWITCH, \
      "allow_internet_sharing", BOOL, "true", 0, 0, \
      "The phone may share its connection.") \
    P(X, UNAPPROVED_IN_ROM_APPLICATION_LIST, UnapprovedInROMApplicationList, 121, NAMES, \
      "unapproved_in_rom_application_list", TEXT, "", 0, 0, \
      "Built-in programs that may not run, with commas between.") \
    P(X, APPROVED_APPLICATION_LIST, ApprovedApplicationList, 121, HASHES, \
      "approved_application_list", TEXT, "", 0, 0, \
      "SHA-1 hashes in base64 of programs that may run, with commas between; empty: all.")

/* A row as one of settings.h. */
#define POLICY_SETTING(X, id, element, since, kind, key, type, def, min, max, doc) \
    X(POLICY_##id, "policy", key, type, def, min, max, doc)
