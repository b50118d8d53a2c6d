Feature: Sending as somebody else
  A user sends in another user's name with the privilege "Send Email as Another User", whose depth reaches that user, and with that user's own consent, given in
  the personal options. For a workflow its owner is asked. Nothing in the mail shows who wrote it: the mailbox of the named sender sends it. (With
  EnableMailboxDelegationForOutgoingEmail the submitter's own mailbox sends on behalf, on Exchange only.)

  Background:
    Given an organization "Alder" with a mail server
    And the user "Ada" with the address "ada@alder.test", ready to send and receive
    And the user "Ben" with the address "ben@alder.test", ready to send and receive
    And the contact "Carl Birch" with the address "carl@birch.test"
    And "Ben" writes an email to "Carl Birch" with the subject "Order"

  Scenario: With privilege and consent
    Given "Ben" lets others send on his or her behalf
    When "Ada" with the privilege "prvSendAsUser" sends the email "Order"
    And the engine runs
    Then the email "Order" is sent
    And the mail "Order" to "carl@birch.test" is from "ben@alder.test"

  Scenario: Without consent
    When "Ada" with the privilege "prvSendAsUser" sends the email "Order"
    Then it is refused because User does not have send-as privilege
    And the email "Order" is draft

  Scenario: Without the privilege
    Given "Ben" lets others send on his or her behalf
    When "Ada" sends the email "Order"
    Then it is refused because User does not have send-as privilege

  Scenario: A privilege that does not reach so far
    Given "Ben" lets others send on his or her behalf
    When "Ada" with the privilege "prvSendAsUser:basic" sends the email "Order"
    Then it is refused because User does not have send-as privilege
