/* The tags of ActiveSync, every code page: MS-ASWBXML 2.1.2.1 (Code Pages). One row is one tag; the enum, the names and
 * the codec read this table.
 * X(Page, Element, token, since): since is the first protocol version times ten (25: all; 0: reserved, never sent).
 * Page 3 (AirNotify) is dead and has no rows. */
#pragma once

#define WBXML_PAGES(X) \
    X(AirSync, 0) \
    X(Contacts, 1) \
    X(Email, 2) \
    X(Calendar, 4) \
    X(Move, 5) \
    X(GetItemEstimate, 6) \
    X(FolderHierarchy, 7) \
    X(MeetingResponse, 8) \
    X(Tasks, 9) \
    X(ResolveRecipients, 10) \
    X(ValidateCert, 11) \
    X(Contacts2, 12) \
    X(Ping, 13) \
    X(Provision, 14) \
    X(Search, 15) \
    X(GAL, 16) \
    X(AirSyncBase, 17) \
    X(Settings, 18) \
    X(DocumentLibrary, 19) \
    X(ItemOperations, 20) \
    X(ComposeMail, 21) \
    X(Email2, 22) \
    X(Notes, 23) \
    X(RightsManagement, 24) \
    X(Find, 25)

#define WBXML_PAGE_0(X) \
    X(AirSync, Sync, 0x05, 25) \
    X(AirSync, Responses, 0x06, 25) \
    X(AirSync, Add, 0x07, 25) \
    X(AirSync, Change, 0x08, 25) \
    X(AirSync, Delete, 0x09, 25) \
    X(AirSync, Fetch, 0x0A, 25) \
    X(AirSync, SyncKey, 0x0B, 25) \
    X(AirSync, ClientId, 0x0C, 25) \
    X(AirSync, ServerId, 0x0D, 25) \
    X(AirSync, Status, 0x0E, 25) \
    X(AirSync, Collection, 0x0F, 25) \
    X(AirSync, Class, 0x10, 25) \
    X(AirSync, Version, 0x11, 25) \
    X(AirSync, CollectionId, 0x12, 25) \
    X(AirSync, GetChanges, 0x13, 25) \
    X(AirSync, MoreAvailable, 0x14, 25) \
    X(AirSync, WindowSize, 0x15, 25) \
    X(AirSync, Commands, 0x16, 25) \
    X(AirSync, Options, 0x17, 25) \
    X(AirSync, FilterType, 0x18, 25) \
    X(AirSync, Truncation, 0x19, 25) \
    X(AirSync, RtfTruncation, 0x1A, 25) \
    X(AirSync, Conflict, 0x1B, 25) \
    X(AirSync, Collections, 0x1C, 25) \
    X(AirSync, ApplicationData, 0x1D, 25) \
    X(AirSync, DeletesAsMoves, 0x1E, 25) \
    X(AirSync, NotifyGUID, 0x1F, 25) \
    X(AirSync, Supported, 0x20, 25) \
    X(AirSync, SoftDelete, 0x21, 25) \
    X(AirSync, MIMESupport, 0x22, 25) \
    X(AirSync, MIMETruncation, 0x23, 25) \
    X(AirSync, Wait, 0x24, 121) \
    X(AirSync, Limit, 0x25, 121) \
    X(AirSync, Partial, 0x26, 121) \
    X(AirSync, ConversationMode, 0x27, 140) \
    X(AirSync, MaxItems, 0x28, 140) \
    X(AirSync, HeartbeatInterval, 0x29, 140)

#define WBXML_PAGE_1(X) \
    X(Contacts, Anniversary, 0x05, 25) \
    X(Contacts, AssistantName, 0x06, 25) \
    X(Contacts, AssistantPhoneNumber, 0x07, 25) \
    X(Contacts, Birthday, 0x08, 25) \
    X(Contacts, Body, 0x09, 25) \
    X(Contacts, BodySize, 0x0A, 25) \
    X(Contacts, BodyTruncated, 0x0B, 25) \
    X(Contacts, Business2PhoneNumber, 0x0C, 25) \
    X(Contacts, BusinessAddressCity, 0x0D, 25) \
    X(Contacts, BusinessAddressCountry, 0x0E, 25) \
    X(Contacts, BusinessAddressPostalCode, 0x0F, 25) \
    X(Contacts, BusinessAddressState, 0x10, 25) \
    X(Contacts, BusinessAddressStreet, 0x11, 25) \
    X(Contacts, BusinessFaxNumber, 0x12, 25) \
    X(Contacts, BusinessPhoneNumber, 0x13, 25) \
    X(Contacts, CarPhoneNumber, 0x14, 25) \
    X(Contacts, Categories, 0x15, 25) \
    X(Contacts, Category, 0x16, 25) \
    X(Contacts, Children, 0x17, 25) \
    X(Contacts, Child, 0x18, 25) \
    X(Contacts, CompanyName, 0x19, 25) \
    X(Contacts, Department, 0x1A, 25) \
    X(Contacts, Email1Address, 0x1B, 25) \
    X(Contacts, Email2Address, 0x1C, 25) \
    X(Contacts, Email3Address, 0x1D, 25) \
    X(Contacts, FileAs, 0x1E, 25) \
    X(Contacts, FirstName, 0x1F, 25) \
    X(Contacts, Home2PhoneNumber, 0x20, 25) \
    X(Contacts, HomeAddressCity, 0x21, 25) \
    X(Contacts, HomeAddressCountry, 0x22, 25) \
    X(Contacts, HomeAddressPostalCode, 0x23, 25) \
    X(Contacts, HomeAddressState, 0x24, 25) \
    X(Contacts, HomeAddressStreet, 0x25, 25) \
    X(Contacts, HomeFaxNumber, 0x26, 25) \
    X(Contacts, HomePhoneNumber, 0x27, 25) \
    X(Contacts, JobTitle, 0x28, 25) \
    X(Contacts, LastName, 0x29, 25) \
    X(Contacts, MiddleName, 0x2A, 25) \
    X(Contacts, MobilePhoneNumber, 0x2B, 25) \
    X(Contacts, OfficeLocation, 0x2C, 25) \
    X(Contacts, OtherAddressCity, 0x2D, 25) \
    X(Contacts, OtherAddressCountry, 0x2E, 25) \
    X(Contacts, OtherAddressPostalCode, 0x2F, 25) \
    X(Contacts, OtherAddressState, 0x30, 25) \
    X(Contacts, OtherAddressStreet, 0x31, 25) \
    X(Contacts, PagerNumber, 0x32, 25) \
    X(Contacts, RadioPhoneNumber, 0x33, 25) \
    X(Contacts, Spouse, 0x34, 25) \
    X(Contacts, Suffix, 0x35, 25) \
    X(Contacts, Title, 0x36, 25) \
    X(Contacts, WebPage, 0x37, 25) \
    X(Contacts, YomiCompanyName, 0x38, 25) \
    X(Contacts, YomiFirstName, 0x39, 25) \
    X(Contacts, YomiLastName, 0x3A, 25) \
    X(Contacts, Rtf, 0x3B, 25) \
    X(Contacts, Picture, 0x3C, 25) \
    X(Contacts, Alias, 0x3D, 140) \
    X(Contacts, WeightedRank, 0x3E, 140)

#define WBXML_PAGE_2(X) \
    X(Email, Attachment, 0x05, 25) \
    X(Email, Attachments, 0x06, 25) \
    X(Email, AttName, 0x07, 25) \
    X(Email, AttSize, 0x08, 25) \
    X(Email, AttOid, 0x09, 25) \
    X(Email, AttMethod, 0x0A, 25) \
    X(Email, AttRemoved, 0x0B, 25) \
    X(Email, Body, 0x0C, 25) \
    X(Email, BodySize, 0x0D, 25) \
    X(Email, BodyTruncated, 0x0E, 25) \
    X(Email, DateReceived, 0x0F, 25) \
    X(Email, DisplayName, 0x10, 25) \
    X(Email, DisplayTo, 0x11, 25) \
    X(Email, Importance, 0x12, 25) \
    X(Email, MessageClass, 0x13, 25) \
    X(Email, Subject, 0x14, 25) \
    X(Email, Read, 0x15, 25) \
    X(Email, To, 0x16, 25) \
    X(Email, Cc, 0x17, 25) \
    X(Email, From, 0x18, 25) \
    X(Email, ReplyTo, 0x19, 25) \
    X(Email, AllDayEvent, 0x1A, 25) \
    X(Email, Categories, 0x1B, 140) \
    X(Email, Category, 0x1C, 140) \
    X(Email, DtStamp, 0x1D, 25) \
    X(Email, EndTime, 0x1E, 25) \
    X(Email, InstanceType, 0x1F, 25) \
    X(Email, BusyStatus, 0x20, 25) \
    X(Email, Location, 0x21, 25) \
    X(Email, MeetingRequest, 0x22, 25) \
    X(Email, Organizer, 0x23, 25) \
    X(Email, RecurrenceId, 0x24, 25) \
    X(Email, Reminder, 0x25, 25) \
    X(Email, ResponseRequested, 0x26, 25) \
    X(Email, Recurrences, 0x27, 25) \
    X(Email, Recurrence, 0x28, 25) \
    X(Email, Type, 0x29, 25) \
    X(Email, Until, 0x2A, 25) \
    X(Email, Occurrences, 0x2B, 25) \
    X(Email, Interval, 0x2C, 25) \
    X(Email, DayOfWeek, 0x2D, 25) \
    X(Email, DayOfMonth, 0x2E, 25) \
    X(Email, WeekOfMonth, 0x2F, 25) \
    X(Email, MonthOfYear, 0x30, 25) \
    X(Email, StartTime, 0x31, 25) \
    X(Email, Sensitivity, 0x32, 25) \
    X(Email, TimeZone, 0x33, 25) \
    X(Email, GlobalObjId, 0x34, 25) \
    X(Email, ThreadTopic, 0x35, 25) \
    X(Email, MIMEData, 0x36, 25) \
    X(Email, MIMETruncated, 0x37, 25) \
    X(Email, MIMESize, 0x38, 25) \
    X(Email, InternetCPID, 0x39, 25) \
    X(Email, Flag, 0x3A, 120) \
    X(Email, Status, 0x3B, 120) \
    X(Email, ContentClass, 0x3C, 120) \
    X(Email, FlagType, 0x3D, 120) \
    X(Email, CompleteTime, 0x3E, 120) \
    X(Email, DisallowNewTimeProposal, 0x3F, 140)

#define WBXML_PAGE_4(X) \
    X(Calendar, Timezone, 0x05, 25) \
    X(Calendar, AllDayEvent, 0x06, 25) \
    X(Calendar, Attendees, 0x07, 25) \
    X(Calendar, Attendee, 0x08, 25) \
    X(Calendar, Email, 0x09, 25) \
    X(Calendar, Name, 0x0A, 25) \
    X(Calendar, Body, 0x0B, 25) \
    X(Calendar, BodyTruncated, 0x0C, 25) \
    X(Calendar, BusyStatus, 0x0D, 25) \
    X(Calendar, Categories, 0x0E, 25) \
    X(Calendar, Category, 0x0F, 25) \
    X(Calendar, Rtf, 0x10, 25) \
    X(Calendar, DtStamp, 0x11, 25) \
    X(Calendar, EndTime, 0x12, 25) \
    X(Calendar, Exception, 0x13, 25) \
    X(Calendar, Exceptions, 0x14, 25) \
    X(Calendar, Deleted, 0x15, 25) \
    X(Calendar, ExceptionStartTime, 0x16, 25) \
    X(Calendar, Location, 0x17, 25) \
    X(Calendar, MeetingStatus, 0x18, 25) \
    X(Calendar, OrganizerEmail, 0x19, 25) \
    X(Calendar, OrganizerName, 0x1A, 25) \
    X(Calendar, Recurrence, 0x1B, 25) \
    X(Calendar, Type, 0x1C, 25) \
    X(Calendar, Until, 0x1D, 25) \
    X(Calendar, Occurrences, 0x1E, 25) \
    X(Calendar, Interval, 0x1F, 25) \
    X(Calendar, DayOfWeek, 0x20, 25) \
    X(Calendar, DayOfMonth, 0x21, 25) \
    X(Calendar, WeekOfMonth, 0x22, 25) \
    X(Calendar, MonthOfYear, 0x23, 25) \
    X(Calendar, Reminder, 0x24, 25) \
    X(Calendar, Sensitivity, 0x25, 25) \
    X(Calendar, Subject, 0x26, 25) \
    X(Calendar, StartTime, 0x27, 25) \
    X(Calendar, UID, 0x28, 25) \
    X(Calendar, AttendeeStatus, 0x29, 120) \
    X(Calendar, AttendeeType, 0x2A, 120) \
    X(Calendar, DisallowNewTimeProposal, 0x33, 140) \
    X(Calendar, ResponseRequested, 0x34, 140) \
    X(Calendar, AppointmentReplyTime, 0x35, 140) \
    X(Calendar, ResponseType, 0x36, 140) \
    X(Calendar, CalendarType, 0x37, 140) \
    X(Calendar, IsLeapMonth, 0x38, 140) \
    X(Calendar, FirstDayOfWeek, 0x39, 141) \
    X(Calendar, OnlineMeetingConfLink, 0x3A, 141) \
    X(Calendar, OnlineMeetingExternalLink, 0x3B, 141) \
    X(Calendar, ClientUid, 0x3C, 160)

#define WBXML_PAGE_5(X) \
    X(Move, MoveItems, 0x05, 25) \
    X(Move, Move, 0x06, 25) \
    X(Move, SrcMsgId, 0x07, 25) \
    X(Move, SrcFldId, 0x08, 25) \
    X(Move, DstFldId, 0x09, 25) \
    X(Move, Response, 0x0A, 25) \
    X(Move, Status, 0x0B, 25) \
    X(Move, DstMsgId, 0x0C, 25)

#define WBXML_PAGE_6(X) \
    X(GetItemEstimate, GetItemEstimate, 0x05, 25) \
    X(GetItemEstimate, Version, 0x06, 25) \
    X(GetItemEstimate, Collections, 0x07, 25) \
    X(GetItemEstimate, Collection, 0x08, 25) \
    X(GetItemEstimate, Class, 0x09, 25) \
    X(GetItemEstimate, CollectionId, 0x0A, 25) \
    X(GetItemEstimate, DateTime, 0x0B, 25) \
    X(GetItemEstimate, Estimate, 0x0C, 25) \
    X(GetItemEstimate, Response, 0x0D, 25) \
    X(GetItemEstimate, Status, 0x0E, 25)

#define WBXML_PAGE_7(X) \
    X(FolderHierarchy, Folders, 0x05, 25) \
    X(FolderHierarchy, Folder, 0x06, 25) \
    X(FolderHierarchy, DisplayName, 0x07, 25) \
    X(FolderHierarchy, ServerId, 0x08, 25) \
    X(FolderHierarchy, ParentId, 0x09, 25) \
    X(FolderHierarchy, Type, 0x0A, 25) \
    X(FolderHierarchy, Response, 0x0B, 25) \
    X(FolderHierarchy, Status, 0x0C, 25) \
    X(FolderHierarchy, ContentClass, 0x0D, 25) \
    X(FolderHierarchy, Changes, 0x0E, 25) \
    X(FolderHierarchy, Add, 0x0F, 25) \
    X(FolderHierarchy, Delete, 0x10, 25) \
    X(FolderHierarchy, Update, 0x11, 25) \
    X(FolderHierarchy, SyncKey, 0x12, 25) \
    X(FolderHierarchy, FolderCreate, 0x13, 25) \
    X(FolderHierarchy, FolderDelete, 0x14, 25) \
    X(FolderHierarchy, FolderUpdate, 0x15, 25) \
    X(FolderHierarchy, FolderSync, 0x16, 25) \
    X(FolderHierarchy, Count, 0x17, 25) \
    X(FolderHierarchy, Version, 0x18, 25)

#define WBXML_PAGE_8(X) \
    X(MeetingResponse, CalendarId, 0x05, 25) \
    X(MeetingResponse, CollectionId, 0x06, 25) \
    X(MeetingResponse, MeetingResponse, 0x07, 25) \
    X(MeetingResponse, RequestId, 0x08, 25) \
    X(MeetingResponse, Request, 0x09, 25) \
    X(MeetingResponse, Result, 0x0A, 25) \
    X(MeetingResponse, Status, 0x0B, 25) \
    X(MeetingResponse, UserResponse, 0x0C, 25) \
    X(MeetingResponse, Version, 0x0D, 25) \
    X(MeetingResponse, InstanceId, 0x0E, 141) \
    X(MeetingResponse, ProposedStartTime, 0x10, 161) \
    X(MeetingResponse, ProposedEndTime, 0x11, 161) \
    X(MeetingResponse, SendResponse, 0x12, 160)

#define WBXML_PAGE_9(X) \
    X(Tasks, Body, 0x05, 25) \
    X(Tasks, BodySize, 0x06, 25) \
    X(Tasks, BodyTruncated, 0x07, 25) \
    X(Tasks, Categories, 0x08, 25) \
    X(Tasks, Category, 0x09, 25) \
    X(Tasks, Complete, 0x0A, 25) \
    X(Tasks, DateCompleted, 0x0B, 25) \
    X(Tasks, DueDate, 0x0C, 25) \
    X(Tasks, UtcDueDate, 0x0D, 25) \
    X(Tasks, Importance, 0x0E, 25) \
    X(Tasks, Recurrence, 0x0F, 25) \
    X(Tasks, Type, 0x10, 25) \
    X(Tasks, Start, 0x11, 25) \
    X(Tasks, Until, 0x12, 25) \
    X(Tasks, Occurrences, 0x13, 25) \
    X(Tasks, Interval, 0x14, 25) \
    X(Tasks, DayOfMonth, 0x15, 25) \
    X(Tasks, DayOfWeek, 0x16, 25) \
    X(Tasks, WeekOfMonth, 0x17, 25) \
    X(Tasks, MonthOfYear, 0x18, 25) \
    X(Tasks, Regenerate, 0x19, 25) \
    X(Tasks, DeadOccur, 0x1A, 25) \
    X(Tasks, ReminderSet, 0x1B, 25) \
    X(Tasks, ReminderTime, 0x1C, 25) \
    X(Tasks, Sensitivity, 0x1D, 25) \
    X(Tasks, StartDate, 0x1E, 25) \
    X(Tasks, UtcStartDate, 0x1F, 25) \
    X(Tasks, Subject, 0x20, 25) \
    X(Tasks, Rtf, 0x21, 25) \
    X(Tasks, OrdinalDate, 0x22, 120) \
    X(Tasks, SubOrdinalDate, 0x23, 120) \
    X(Tasks, CalendarType, 0x24, 140) \
    X(Tasks, IsLeapMonth, 0x25, 140) \
    X(Tasks, FirstDayOfWeek, 0x26, 141)

#define WBXML_PAGE_10(X) \
    X(ResolveRecipients, ResolveRecipients, 0x05, 25) \
    X(ResolveRecipients, Response, 0x06, 25) \
    X(ResolveRecipients, Status, 0x07, 25) \
    X(ResolveRecipients, Type, 0x08, 25) \
    X(ResolveRecipients, Recipient, 0x09, 25) \
    X(ResolveRecipients, DisplayName, 0x0A, 25) \
    X(ResolveRecipients, EmailAddress, 0x0B, 25) \
    X(ResolveRecipients, Certificates, 0x0C, 25) \
    X(ResolveRecipients, Certificate, 0x0D, 25) \
    X(ResolveRecipients, MiniCertificate, 0x0E, 25) \
    X(ResolveRecipients, Options, 0x0F, 25) \
    X(ResolveRecipients, To, 0x10, 25) \
    X(ResolveRecipients, CertificateRetrieval, 0x11, 25) \
    X(ResolveRecipients, RecipientCount, 0x12, 25) \
    X(ResolveRecipients, MaxCertificates, 0x13, 25) \
    X(ResolveRecipients, MaxAmbiguousRecipients, 0x14, 25) \
    X(ResolveRecipients, CertificateCount, 0x15, 25) \
    X(ResolveRecipients, Availability, 0x16, 140) \
    X(ResolveRecipients, StartTime, 0x17, 140) \
    X(ResolveRecipients, EndTime, 0x18, 140) \
    X(ResolveRecipients, MergedFreeBusy, 0x19, 140) \
    X(ResolveRecipients, Picture, 0x1A, 141) \
    X(ResolveRecipients, MaxSize, 0x1B, 141) \
    X(ResolveRecipients, Data, 0x1C, 141) \
    X(ResolveRecipients, MaxPictures, 0x1D, 141)

#define WBXML_PAGE_11(X) \
    X(ValidateCert, ValidateCert, 0x05, 25) \
    X(ValidateCert, Certificates, 0x06, 25) \
    X(ValidateCert, Certificate, 0x07, 25) \
    X(ValidateCert, CertificateChain, 0x08, 25) \
    X(ValidateCert, CheckCRL, 0x09, 25) \
    X(ValidateCert, Status, 0x0A, 25)

#define WBXML_PAGE_12(X) \
    X(Contacts2, CustomerId, 0x05, 25) \
    X(Contacts2, GovernmentId, 0x06, 25) \
    X(Contacts2, IMAddress, 0x07, 25) \
    X(Contacts2, IMAddress2, 0x08, 25) \
    X(Contacts2, IMAddress3, 0x09, 25) \
    X(Contacts2, ManagerName, 0x0A, 25) \
    X(Contacts2, CompanyMainPhone, 0x0B, 25) \
    X(Contacts2, AccountName, 0x0C, 25) \
    X(Contacts2, NickName, 0x0D, 25) \
    X(Contacts2, MMS, 0x0E, 25)

#define WBXML_PAGE_13(X) \
    X(Ping, Ping, 0x05, 25) \
    X(Ping, AutdState, 0x06, 25) \
    X(Ping, Status, 0x07, 25) \
    X(Ping, HeartbeatInterval, 0x08, 25) \
    X(Ping, Folders, 0x09, 25) \
    X(Ping, Folder, 0x0A, 25) \
    X(Ping, Id, 0x0B, 25) \
    X(Ping, Class, 0x0C, 25) \
    X(Ping, MaxFolders, 0x0D, 25) \
    X(Ping, Version, 0x0E, 25)

#define WBXML_PAGE_14(X) \
    X(Provision, Provision, 0x05, 25) \
    X(Provision, Policies, 0x06, 25) \
    X(Provision, Policy, 0x07, 25) \
    X(Provision, PolicyType, 0x08, 25) \
    X(Provision, PolicyKey, 0x09, 25) \
    X(Provision, Data, 0x0A, 25) \
    X(Provision, Status, 0x0B, 25) \
    X(Provision, RemoteWipe, 0x0C, 25) \
    X(Provision, EASProvisionDoc, 0x0D, 120) \
    X(Provision, DevicePasswordEnabled, 0x0E, 120) \
    X(Provision, AlphanumericDevicePasswordRequired, 0x0F, 120) \
    X(Provision, RequireStorageCardEncryption, 0x10, 121) \
    X(Provision, PasswordRecoveryEnabled, 0x11, 120) \
    X(Provision, DocumentBrowseEnabled, 0x12, 0) \
    X(Provision, AttachmentsEnabled, 0x13, 120) \
    X(Provision, MinDevicePasswordLength, 0x14, 120) \
    X(Provision, MaxInactivityTimeDeviceLock, 0x15, 120) \
    X(Provision, MaxDevicePasswordFailedAttempts, 0x16, 120) \
    X(Provision, MaxAttachmentSize, 0x17, 120) \
    X(Provision, AllowSimpleDevicePassword, 0x18, 120) \
    X(Provision, DevicePasswordExpiration, 0x19, 120) \
    X(Provision, DevicePasswordHistory, 0x1A, 120) \
    X(Provision, AllowStorageCard, 0x1B, 121) \
    X(Provision, AllowCamera, 0x1C, 121) \
    X(Provision, RequireDeviceEncryption, 0x1D, 121) \
    X(Provision, AllowUnsignedApplications, 0x1E, 121) \
    X(Provision, AllowUnsignedInstallationPackages, 0x1F, 121) \
    X(Provision, MinDevicePasswordComplexCharacters, 0x20, 121) \
    X(Provision, AllowWiFi, 0x21, 121) \
    X(Provision, AllowTextMessaging, 0x22, 121) \
    X(Provision, AllowPOPIMAPEmail, 0x23, 121) \
    X(Provision, AllowBluetooth, 0x24, 121) \
    X(Provision, AllowIrDA, 0x25, 121) \
    X(Provision, RequireManualSyncWhenRoaming, 0x26, 121) \
    X(Provision, AllowDesktopSync, 0x27, 121) \
    X(Provision, MaxCalendarAgeFilter, 0x28, 121) \
    X(Provision, AllowHTMLEmail, 0x29, 121) \
    X(Provision, MaxEmailAgeFilter, 0x2A, 121) \
    X(Provision, MaxEmailBodyTruncationSize, 0x2B, 121) \
    X(Provision, MaxEmailHTMLBodyTruncationSize, 0x2C, 121) \
    X(Provision, RequireSignedSMIMEMessages, 0x2D, 121) \
    X(Provision, RequireEncryptedSMIMEMessages, 0x2E, 121) \
    X(Provision, RequireSignedSMIMEAlgorithm, 0x2F, 121) \
    X(Provision, RequireEncryptionSMIMEAlgorithm, 0x30, 121) \
    X(Provision, AllowSMIMEEncryptionAlgorithmNegotiation, 0x31, 121) \
    X(Provision, AllowSMIMESoftCerts, 0x32, 121) \
    X(Provision, AllowBrowser, 0x33, 121) \
    X(Provision, AllowConsumerEmail, 0x34, 121) \
    X(Provision, AllowRemoteDesktop, 0x35, 121) \
    X(Provision, AllowInternetSharing, 0x36, 121) \
    X(Provision, UnapprovedInROMApplicationList, 0x37, 121) \
    X(Provision, ApplicationName, 0x38, 121) \
    X(Provision, ApprovedApplicationList, 0x39, 121) \
    X(Provision, Hash, 0x3A, 121) \
    X(Provision, AccountOnlyRemoteWipe, 0x3B, 161)

#define WBXML_PAGE_15(X) \
    X(Search, Search, 0x05, 25) \
    X(Search, Store, 0x07, 25) \
    X(Search, Name, 0x08, 25) \
    X(Search, Query, 0x09, 25) \
    X(Search, Options, 0x0A, 25) \
    X(Search, Range, 0x0B, 25) \
    X(Search, Status, 0x0C, 25) \
    X(Search, Response, 0x0D, 25) \
    X(Search, Result, 0x0E, 25) \
    X(Search, Properties, 0x0F, 25) \
    X(Search, Total, 0x10, 25) \
    X(Search, EqualTo, 0x11, 120) \
    X(Search, Value, 0x12, 120) \
    X(Search, And, 0x13, 120) \
    X(Search, Or, 0x14, 120) \
    X(Search, FreeText, 0x15, 120) \
    X(Search, DeepTraversal, 0x17, 120) \
    X(Search, LongId, 0x18, 120) \
    X(Search, RebuildResults, 0x19, 120) \
    X(Search, LessThan, 0x1A, 120) \
    X(Search, GreaterThan, 0x1B, 120) \
    X(Search, Schema, 0x1C, 0) \
    X(Search, Supported, 0x1D, 0) \
    X(Search, UserName, 0x1E, 121) \
    X(Search, Password, 0x1F, 121) \
    X(Search, ConversationId, 0x20, 140) \
    X(Search, Picture, 0x21, 141) \
    X(Search, MaxSize, 0x22, 141) \
    X(Search, MaxPictures, 0x23, 141)

#define WBXML_PAGE_16(X) \
    X(GAL, DisplayName, 0x05, 25) \
    X(GAL, Phone, 0x06, 25) \
    X(GAL, Office, 0x07, 25) \
    X(GAL, Title, 0x08, 25) \
    X(GAL, Company, 0x09, 25) \
    X(GAL, Alias, 0x0A, 25) \
    X(GAL, FirstName, 0x0B, 25) \
    X(GAL, LastName, 0x0C, 25) \
    X(GAL, HomePhone, 0x0D, 25) \
    X(GAL, MobilePhone, 0x0E, 25) \
    X(GAL, EmailAddress, 0x0F, 25) \
    X(GAL, Picture, 0x10, 141) \
    X(GAL, Status, 0x11, 141) \
    X(GAL, Data, 0x12, 141)

#define WBXML_PAGE_17(X) \
    X(AirSyncBase, BodyPreference, 0x05, 120) \
    X(AirSyncBase, Type, 0x06, 120) \
    X(AirSyncBase, TruncationSize, 0x07, 120) \
    X(AirSyncBase, AllOrNone, 0x08, 120) \
    X(AirSyncBase, Body, 0x0A, 120) \
    X(AirSyncBase, Data, 0x0B, 120) \
    X(AirSyncBase, EstimatedDataSize, 0x0C, 120) \
    X(AirSyncBase, Truncated, 0x0D, 120) \
    X(AirSyncBase, Attachments, 0x0E, 120) \
    X(AirSyncBase, Attachment, 0x0F, 120) \
    X(AirSyncBase, DisplayName, 0x10, 120) \
    X(AirSyncBase, FileReference, 0x11, 120) \
    X(AirSyncBase, Method, 0x12, 120) \
    X(AirSyncBase, ContentId, 0x13, 120) \
    X(AirSyncBase, ContentLocation, 0x14, 120) \
    X(AirSyncBase, IsInline, 0x15, 120) \
    X(AirSyncBase, NativeBodyType, 0x16, 120) \
    X(AirSyncBase, ContentType, 0x17, 120) \
    X(AirSyncBase, Preview, 0x18, 140) \
    X(AirSyncBase, BodyPartPreference, 0x19, 141) \
    X(AirSyncBase, BodyPart, 0x1A, 141) \
    X(AirSyncBase, Status, 0x1B, 141) \
    X(AirSyncBase, Add, 0x1C, 160) \
    X(AirSyncBase, Delete, 0x1D, 160) \
    X(AirSyncBase, ClientId, 0x1E, 160) \
    X(AirSyncBase, Content, 0x1F, 160) \
    X(AirSyncBase, Location, 0x20, 160) \
    X(AirSyncBase, Annotation, 0x21, 160) \
    X(AirSyncBase, Street, 0x22, 160) \
    X(AirSyncBase, City, 0x23, 160) \
    X(AirSyncBase, State, 0x24, 160) \
    X(AirSyncBase, Country, 0x25, 160) \
    X(AirSyncBase, PostalCode, 0x26, 160) \
    X(AirSyncBase, Latitude, 0x27, 160) \
    X(AirSyncBase, Longitude, 0x28, 160) \
    X(AirSyncBase, Accuracy, 0x29, 160) \
    X(AirSyncBase, Altitude, 0x2A, 160) \
    X(AirSyncBase, AltitudeAccuracy, 0x2B, 160) \
    X(AirSyncBase, LocationUri, 0x2C, 160) \
    X(AirSyncBase, InstanceId, 0x2D, 160)

#define WBXML_PAGE_18(X) \
    X(Settings, Settings, 0x05, 120) \
    X(Settings, Status, 0x06, 120) \
    X(Settings, Get, 0x07, 120) \
    X(Settings, Set, 0x08, 120) \
    X(Settings, Oof, 0x09, 120) \
    X(Settings, OofState, 0x0A, 120) \
    X(Settings, StartTime, 0x0B, 120) \
    X(Settings, EndTime, 0x0C, 120) \
    X(Settings, OofMessage, 0x0D, 120) \
    X(Settings, AppliesToInternal, 0x0E, 120) \
    X(Settings, AppliesToExternalKnown, 0x0F, 120) \
    X(Settings, AppliesToExternalUnknown, 0x10, 120) \
    X(Settings, Enabled, 0x11, 120) \
    X(Settings, ReplyMessage, 0x12, 120) \
    X(Settings, BodyType, 0x13, 120) \
    X(Settings, DevicePassword, 0x14, 120) \
    X(Settings, Password, 0x15, 120) \
    X(Settings, DeviceInformation, 0x16, 120) \
    X(Settings, Model, 0x17, 120) \
    X(Settings, IMEI, 0x18, 120) \
    X(Settings, FriendlyName, 0x19, 120) \
    X(Settings, OS, 0x1A, 120) \
    X(Settings, OSLanguage, 0x1B, 120) \
    X(Settings, PhoneNumber, 0x1C, 120) \
    X(Settings, UserInformation, 0x1D, 120) \
    X(Settings, EmailAddresses, 0x1E, 120) \
    X(Settings, SMTPAddress, 0x1F, 120) \
    X(Settings, UserAgent, 0x20, 121) \
    X(Settings, EnableOutboundSMS, 0x21, 140) \
    X(Settings, MobileOperator, 0x22, 140) \
    X(Settings, PrimarySmtpAddress, 0x23, 141) \
    X(Settings, Accounts, 0x24, 141) \
    X(Settings, Account, 0x25, 141) \
    X(Settings, AccountId, 0x26, 141) \
    X(Settings, AccountName, 0x27, 141) \
    X(Settings, UserDisplayName, 0x28, 141) \
    X(Settings, SendDisabled, 0x29, 141) \
    X(Settings, RightsManagementInformation, 0x2B, 141)

#define WBXML_PAGE_19(X) \
    X(DocumentLibrary, LinkId, 0x05, 120) \
    X(DocumentLibrary, DisplayName, 0x06, 120) \
    X(DocumentLibrary, IsFolder, 0x07, 120) \
    X(DocumentLibrary, CreationDate, 0x08, 120) \
    X(DocumentLibrary, LastModifiedDate, 0x09, 120) \
    X(DocumentLibrary, IsHidden, 0x0A, 120) \
    X(DocumentLibrary, ContentLength, 0x0B, 120) \
    X(DocumentLibrary, ContentType, 0x0C, 120)

#define WBXML_PAGE_20(X) \
    X(ItemOperations, ItemOperations, 0x05, 120) \
    X(ItemOperations, Fetch, 0x06, 120) \
    X(ItemOperations, Store, 0x07, 120) \
    X(ItemOperations, Options, 0x08, 120) \
    X(ItemOperations, Range, 0x09, 120) \
    X(ItemOperations, Total, 0x0A, 120) \
    X(ItemOperations, Properties, 0x0B, 120) \
    X(ItemOperations, Data, 0x0C, 120) \
    X(ItemOperations, Status, 0x0D, 120) \
    X(ItemOperations, Response, 0x0E, 120) \
    X(ItemOperations, Version, 0x0F, 120) \
    X(ItemOperations, Schema, 0x10, 120) \
    X(ItemOperations, Part, 0x11, 120) \
    X(ItemOperations, EmptyFolderContents, 0x12, 120) \
    X(ItemOperations, DeleteSubFolders, 0x13, 120) \
    X(ItemOperations, UserName, 0x14, 121) \
    X(ItemOperations, Password, 0x15, 121) \
    X(ItemOperations, Move, 0x16, 140) \
    X(ItemOperations, DstFldId, 0x17, 140) \
    X(ItemOperations, ConversationId, 0x18, 140) \
    X(ItemOperations, MoveAlways, 0x19, 140)

#define WBXML_PAGE_21(X) \
    X(ComposeMail, SendMail, 0x05, 140) \
    X(ComposeMail, SmartForward, 0x06, 140) \
    X(ComposeMail, SmartReply, 0x07, 140) \
    X(ComposeMail, SaveInSentItems, 0x08, 140) \
    X(ComposeMail, ReplaceMime, 0x09, 140) \
    X(ComposeMail, Type, 0x0A, 0) \
    X(ComposeMail, Source, 0x0B, 140) \
    X(ComposeMail, FolderId, 0x0C, 140) \
    X(ComposeMail, ItemId, 0x0D, 140) \
    X(ComposeMail, LongId, 0x0E, 140) \
    X(ComposeMail, InstanceId, 0x0F, 140) \
    X(ComposeMail, Mime, 0x10, 140) \
    X(ComposeMail, ClientId, 0x11, 140) \
    X(ComposeMail, Status, 0x12, 140) \
    X(ComposeMail, AccountId, 0x13, 141) \
    X(ComposeMail, Forwardees, 0x15, 160) \
    X(ComposeMail, Forwardee, 0x16, 160) \
    X(ComposeMail, ForwardeeName, 0x17, 160) \
    X(ComposeMail, ForwardeeEmail, 0x18, 160)

#define WBXML_PAGE_22(X) \
    X(Email2, UmCallerID, 0x05, 140) \
    X(Email2, UmUserNotes, 0x06, 140) \
    X(Email2, UmAttDuration, 0x07, 140) \
    X(Email2, UmAttOrder, 0x08, 140) \
    X(Email2, ConversationId, 0x09, 140) \
    X(Email2, ConversationIndex, 0x0A, 140) \
    X(Email2, LastVerbExecuted, 0x0B, 140) \
    X(Email2, LastVerbExecutionTime, 0x0C, 140) \
    X(Email2, ReceivedAsBcc, 0x0D, 140) \
    X(Email2, Sender, 0x0E, 140) \
    X(Email2, CalendarType, 0x0F, 140) \
    X(Email2, IsLeapMonth, 0x10, 140) \
    X(Email2, AccountId, 0x11, 141) \
    X(Email2, FirstDayOfWeek, 0x12, 141) \
    X(Email2, MeetingMessageType, 0x13, 141) \
    X(Email2, IsDraft, 0x15, 160) \
    X(Email2, Bcc, 0x16, 160) \
    X(Email2, Send, 0x17, 160)

#define WBXML_PAGE_23(X) \
    X(Notes, Subject, 0x05, 140) \
    X(Notes, MessageClass, 0x06, 140) \
    X(Notes, LastModifiedDate, 0x07, 140) \
    X(Notes, Categories, 0x08, 140) \
    X(Notes, Category, 0x09, 140)

#define WBXML_PAGE_24(X) \
    X(RightsManagement, RightsManagementSupport, 0x05, 141) \
    X(RightsManagement, RightsManagementTemplates, 0x06, 141) \
    X(RightsManagement, RightsManagementTemplate, 0x07, 141) \
    X(RightsManagement, RightsManagementLicense, 0x08, 141) \
    X(RightsManagement, EditAllowed, 0x09, 141) \
    X(RightsManagement, ReplyAllowed, 0x0A, 141) \
    X(RightsManagement, ReplyAllAllowed, 0x0B, 141) \
    X(RightsManagement, ForwardAllowed, 0x0C, 141) \
    X(RightsManagement, ModifyRecipientsAllowed, 0x0D, 141) \
    X(RightsManagement, ExtractAllowed, 0x0E, 141) \
    X(RightsManagement, PrintAllowed, 0x0F, 141) \
    X(RightsManagement, ExportAllowed, 0x10, 141) \
    X(RightsManagement, ProgrammaticAccessAllowed, 0x11, 141) \
    X(RightsManagement, Owner, 0x12, 141) \
    X(RightsManagement, ContentExpiryDate, 0x13, 141) \
    X(RightsManagement, TemplateID, 0x14, 141) \
    X(RightsManagement, TemplateName, 0x15, 141) \
    X(RightsManagement, TemplateDescription, 0x16, 141) \
    X(RightsManagement, ContentOwner, 0x17, 141) \
    X(RightsManagement, RemoveRightsManagementProtection, 0x18, 141)

#define WBXML_PAGE_25(X) \
    X(Find, Find, 0x05, 161) \
    X(Find, SearchId, 0x06, 161) \
    X(Find, ExecuteSearch, 0x07, 161) \
    X(Find, MailBoxSearchCriterion, 0x08, 161) \
    X(Find, Query, 0x09, 161) \
    X(Find, Status, 0x0A, 161) \
    X(Find, FreeText, 0x0B, 161) \
    X(Find, Options, 0x0C, 161) \
    X(Find, Range, 0x0D, 161) \
    X(Find, DeepTraversal, 0x0E, 161) \
    X(Find, Response, 0x11, 161) \
    X(Find, Result, 0x12, 161) \
    X(Find, Properties, 0x13, 161) \
    X(Find, Preview, 0x14, 161) \
    X(Find, HasAttachments, 0x15, 161) \
    X(Find, Total, 0x16, 161) \
    X(Find, DisplayCc, 0x17, 161) \
    X(Find, DisplayBcc, 0x18, 161) \
    X(Find, GalSearchCriterion, 0x19, 161) \
    X(Find, MaxPictures, 0x20, 161) \
    X(Find, MaxSize, 0x21, 161) \
    X(Find, Picture, 0x22, 161)

#define WBXML_TAGS(X) \
    WBXML_PAGE_0(X) \
    WBXML_PAGE_1(X) \
    WBXML_PAGE_2(X) \
    WBXML_PAGE_4(X) \
    WBXML_PAGE_5(X) \
    WBXML_PAGE_6(X) \
    WBXML_PAGE_7(X) \
    WBXML_PAGE_8(X) \
    WBXML_PAGE_9(X) \
    WBXML_PAGE_10(X) \
    WBXML_PAGE_11(X) \
    WBXML_PAGE_12(X) \
    WBXML_PAGE_13(X) \
    WBXML_PAGE_14(X) \
    WBXML_PAGE_15(X) \
    WBXML_PAGE_16(X) \
    WBXML_PAGE_17(X) \
    WBXML_PAGE_18(X) \
    WBXML_PAGE_19(X) \
    WBXML_PAGE_20(X) \
    WBXML_PAGE_21(X) \
    WBXML_PAGE_22(X) \
    WBXML_PAGE_23(X) \
    WBXML_PAGE_24(X) \
    WBXML_PAGE_25(X)
